import { createHmac } from "node:crypto";

export function signed(path, seconds, secret) {
  const query = `expires=${Math.floor(Date.now() / 1000) + seconds}`;
  const signature = createHmac("sha256", secret).update(`GET\n${path}\n${query}`).digest("base64url");
  return `${path}?${query}&signature=${signature}`;
}

console.log(signed(process.argv[2], 3600, process.argv[3]));
