// Sharp's side of the sweep: reads a source and a target per line from standard input, writes the upright first picture
// of the source in sRGB as PNG, and prints "ok" or why it could not.
import { createInterface } from 'node:readline';
import sharp from 'sharp';

sharp.concurrency(1);
sharp.cache(false);

for await (const line of createInterface({ input: process.stdin })) {
  const [source, target] = JSON.parse(line);
  try {
    await sharp(source, { limitInputPixels: 100_000_000 }).autoOrient().toColourspace('srgb').png().toFile(target);
    console.log(JSON.stringify('ok'));
  } catch (error) {
    console.log(JSON.stringify(error.message.split('\n')[0]));
  }
}
