// The picture by which presets are shown: a landscape, drawn here, so that it is nobody's.

const WIDTH = 1200, HEIGHT = 800;

// The sample as a PNG. It has what recipes change: fine lines, a gradient, saturated colours, and a subject at the right.
export function samplePicture() {
  const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
  const context = canvas.getContext("2d");
  sky(context);
  for (const [number, color] of ["#8fb0a9", "#5d8a7d", "#2f5d50"].entries()) hill(context, number, color);
  house(context);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function sky(context) {
  const gradient = context.createLinearGradient(0, 0, 0, HEIGHT);
  gradient.addColorStop(0, "#3557a8");
  gradient.addColorStop(0.55, "#f3b36b");
  gradient.addColorStop(1, "#f7e3c0");
  context.fillStyle = gradient;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.fillStyle = "#fff2cf";
  disc(context, 380, 360, 70);
}

function hill(context, number, color) {
  const height = 430 + 110 * number;
  context.fillStyle = color;
  context.beginPath();
  context.moveTo(0, HEIGHT);
  for (let x = 0; x <= WIDTH; x += 8) context.lineTo(x, height + 40 * Math.sin(x / (140 - 20 * number) + 2 * number));
  context.lineTo(WIDTH, HEIGHT);
  context.fill();
}

function house(context) {
  context.fillStyle = "#f4f1ea";
  context.fillRect(820, 470, 190, 150);
  context.fillStyle = "#b3261e";
  context.beginPath();
  context.moveTo(795, 475);
  context.lineTo(915, 375);
  context.lineTo(1035, 475);
  context.fill();
  context.fillStyle = "#24324f";
  for (const x of [850, 940]) context.fillRect(x, 510, 40, 50);
  context.strokeStyle = "#f4f1ea";
  context.lineWidth = 2;
  for (let x = 620; x < 1180; x += 18) context.strokeRect(x, 640, 8, 46);
}

function disc(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}
