// Sharp's side of the comparison: reads one task per line from standard input, runs it, and prints the time it took.
import { createInterface } from 'node:readline';
import sharp from 'sharp';

sharp.concurrency(1);
sharp.cache(false);

const encoders = {
  jpeg: (image, { optimise }) => image.jpeg({ quality: 80, optimiseCoding: optimise }),
  png: (image) => image.png({ compressionLevel: 6, adaptiveFiltering: true }),
  webp: (image) => image.webp({ quality: 80, effort: 4 }),
};

async function make({ source, width, format, optimise, target }) {
  await encoders[format](sharp(source).resize({ width }), { optimise }).toFile(target);
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
