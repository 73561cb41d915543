// Several files in one ZIP, made in the browser. They are stored as they are: pictures do not get smaller.

const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});
// Without the extension for more, which not all programs read.
export const MOST_BYTES = 2 ** 31;

function checksum(data) {
  let sum = 0xffffffff;
  for (const byte of data) sum = TABLE[(sum ^ byte) & 0xff] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

// Fields of a header, in bytes: [size, value].
function packed(fields) {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0)));
  let place = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(place, value, true);
    else view.setUint32(place, value, true);
    place += size;
  }
  return new Uint8Array(view.buffer);
}

function stamp(date) {
  return [(date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1), ((date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate()];
}

// `files` are { name, blob }. Names that occur twice get a number.
export async function zip(files, now = new Date()) {
  const [time, day] = stamp(now);
  const body = [], directory = [];
  let place = 0;
  for (const { name, blob } of unique(files)) {
    const encoded = new TextEncoder().encode(name);
    const sum = checksum(new Uint8Array(await blob.arrayBuffer()));
    // Version 2.0, names in UTF-8, stored.
    const common = [[2, 20], [2, 0x800], [2, 0], [2, time], [2, day], [4, sum], [4, blob.size], [4, blob.size], [2, encoded.length], [2, 0]];
    body.push(packed([[4, 0x04034b50], ...common]), encoded, blob);
    directory.push(packed([[4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, place]]), encoded);
    place += 30 + encoded.length + blob.size;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const count = directory.length / 2;
  const end = packed([[4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, length], [4, place], [2, 0]]);
  return new Blob([...body, ...directory, end], { type: "application/zip" });
}

function unique(files) {
  const taken = new Set();
  return files.map(({ name, blob }) => {
    let free = name;
    for (let number = 2; taken.has(free); number++) free = name.replace(/(\.[^.]*)?$/, `-${number}$1`);
    taken.add(free);
    return { name: free, blob };
  });
}
