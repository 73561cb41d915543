import { createHmac } from "node:crypto";

function signature(text, secret) {
  return createHmac("sha256", secret).update(text).digest("base64url");
}

export function signed(path, seconds, secret) {
  const query = `expires=${Math.floor(Date.now() / 1000) + seconds}`;
  return `${path}?${query}&signature=${signature(`GET\n${path}\n${query}`, secret)}`;
}

export function policy(terms, secret) {
  const text = Buffer.from(terms).toString("base64url");
  return `${text}.${signature(`POST\n/images/\npolicy=${text}`, secret)}`;
}

const [what, secret] = process.argv.slice(2);
console.log(what.startsWith("{") ? policy(what, secret) : signed(what, 3600, secret));
