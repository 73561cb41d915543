// Sharp's side of the comparison: reads one task per line from standard input, runs it, and prints the time it took.
import { createInterface } from 'node:readline';
import sharp from 'sharp';

sharp.concurrency(1);
sharp.cache(false);

const encoders = {
  jpeg: (image, { quality, optimise }) => image.jpeg({ quality, optimiseCoding: optimise }),
  png: (image, { palette }) => image.png({ compressionLevel: 6, adaptiveFiltering: !palette, palette }),
  gif: (image) => image.gif(),
  webp: (image, { quality }) => image.webp({ quality, effort: 4 }),
  avif: (image, { quality }) => image.avif({ quality }),
};

async function make({ source, width, format, target, ...options }) {
  const image = sharp(source, { animated: format === 'gif' });
  await encoders[format](image.resize({ width }), options).toFile(target);
}

async function measure(outputs) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (const output of outputs) await make(output);
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { wall_seconds: wall / 1e3, cpu_seconds: (user + system) / 1e6 };
}

console.log(JSON.stringify(sharp.versions));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await measure(JSON.parse(line))));
}
