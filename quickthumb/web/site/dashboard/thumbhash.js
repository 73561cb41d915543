// Draws a ThumbHash: the 20 to 30 bytes that stand for a picture (Evan Wallace, https://evanw.github.io/thumbhash/).

const { PI, cos, max, round } = Math;

// A canvas with the blurred picture, or null if the text is no ThumbHash.
export function thumbhashCanvas(text) {
  try {
    const hash = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const { width, height, rgba } = decoded(hash);
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
    return canvas;
  } catch {
    return null;
  }
}

function decoded(hash) {
  const { dc, ac, sizes, hasAlpha } = parts(hash);
  const ratio = sizes[0][0] / sizes[0][1];
  const width = round(ratio > 1 ? 32 : 32 * ratio), height = round(ratio > 1 ? 32 / ratio : 32);
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at += 4) {
      const fx = waves((x + 0.5) / width), fy = waves((y + 0.5) / height);
      const [l, p, q, a] = dc.map((value, channel) => value + summed(ac[channel], sizes[channel], fx, fy));
      const b = l - (2 / 3) * p, r = (3 * l - b + q) / 2;
      rgba.set([255 * r, 255 * (r - q), 255 * b, hasAlpha ? 255 * a : 255], at);
    }
  return { width, height, rgba };
}

// The means and the waves of the channels: lightness, yellow and blue, red and green, alpha.
function parts(hash) {
  const header = hash[0] | (hash[1] << 8) | (hash[2] << 16), more = hash[3] | (hash[4] << 8);
  const hasAlpha = header >> 23, isLandscape = more >> 15, long = hasAlpha ? 5 : 7;
  const lx = max(3, isLandscape ? long : more & 7), ly = max(3, isLandscape ? more & 7 : long);
  const sizes = [[lx, ly], [3, 3], [3, 3], [5, 5]];
  const dc = [(header & 63) / 63, ((header >> 6) & 63) / 31.5 - 1, ((header >> 12) & 63) / 31.5 - 1, hasAlpha ? (hash[5] & 15) / 15 : 1];
  // Colour is a little stronger than written: it loses some when it is rounded to four bits.
  const scales = [((header >> 18) & 31) / 31, (((more >> 3) & 63) / 63) * 1.25, (((more >> 9) & 63) / 63) * 1.25, (hash[5] >> 4) / 15];
  let place = (hasAlpha ? 6 : 5) * 2;
  const digit = () => (hash[place >> 1] >> ((place++ & 1) << 2)) & 15;
  const ac = sizes.map((size, channel) => (channel === 3 && !hasAlpha ? [] : each(size, () => (digit() / 7.5 - 1) * scales[channel])));
  return { dc, ac, sizes, hasAlpha };
}

const waves = (place) => Array.from({ length: 7 }, (_, number) => cos(PI * place * number));

function summed(factors, size, fx, fy) {
  if (!factors.length) return 0;
  let next = 0, sum = 0;
  each(size, (cx, cy) => (sum += factors[next++] * fx[cx] * fy[cy] * 2));
  return sum;
}

// What `made` returns for each wave of a channel: those in the upper left triangle, without the mean.
function each([nx, ny], made) {
  const all = [];
  for (let cy = 0; cy < ny; cy++) for (let cx = cy ? 0 : 1; cx * ny < nx * (ny - cy); cx++) all.push(made(cx, cy));
  return all;
}
