// Which part of the upright source a result shows, as the service works it out.

const WORDS = { left: 0, center: 0.5, right: 1, top: 0, bottom: 1 };

// A position as x and y in 0…1, or null if only the service knows it (smart).
export function point(position = "center") {
  const numbers = position.split(",").map(Number);
  if (numbers.length === 2 && numbers.every(Number.isFinite)) return { x: numbers[0], y: numbers[1] };
  if (!/^[a-z-]+$/.test(position) || position === "smart") return null;
  const words = position.split("-");
  const vertical = words.find((word) => word === "top" || word === "bottom") ?? "center";
  const horizontal = words.find((word) => word === "left" || word === "right") ?? "center";
  return { x: WORDS[horizontal], y: WORDS[vertical] };
}

export function cropOf(output, width, height) {
  const numbers = output.crop?.split(",").map(Number) ?? [];
  return numbers.length === 4 ? { x: numbers[0], y: numbers[1], width: numbers[2], height: numbers[3] } : { x: 0, y: 0, width, height };
}

// The rectangle of a source of `width` × `height` pixels that fills the frame of the result; with contain, it reaches
// beyond the source. Null if the picture is turned, or where the service decides.
export function seen(output, width, height) {
  if (output.rotate || output.flip || output.flop) return null;
  const part = cropOf(output, width, height);
  const { fit = "inside" } = output;
  if (fit === "inside" || fit === "fill" || !output.width || !output.height) return part;
  const at = point(output.position);
  if (!at) return null;
  const scales = [output.width / part.width, output.height / part.height];
  const scale = fit === "cover" ? Math.max(...scales) : Math.min(...scales);
  const [boxWidth, boxHeight] = [output.width / scale, output.height / scale];
  return { x: part.x + at.x * (part.width - boxWidth), y: part.y + at.y * (part.height - boxHeight), width: boxWidth, height: boxHeight };
}
