// A browser as a Web Push service's other end: prints a subscription, then opens what comes on standard input with the
// library http_ece, and checks the sender's VAPID header with node's own verification.
import { createECDH, createPublicKey, randomBytes, verify } from "node:crypto";
import { createInterface } from "node:readline";
import ece from "http_ece";

const keys = createECDH("prime256v1");
keys.generateKeys();
const auth = randomBytes(16);
const subscription = {
  endpoint: "https://push.example/send/1",
  keys: { p256dh: keys.getPublicKey("base64url"), auth: auth.toString("base64url") },
};
console.log(JSON.stringify(subscription));

for await (const line of createInterface({ input: process.stdin })) {
  const { body, authorization } = JSON.parse(line);
  const text = ece.decrypt(Buffer.from(body, "base64"), {
    version: "aes128gcm",
    privateKey: keys,
    authSecret: auth.toString("base64url"),
  });
  const [, token, key] = /^vapid t=([^,]+), k=(.+)$/.exec(authorization);
  const [header, claims, signature] = token.split(".");
  const point = Buffer.from(key, "base64url");
  const part = (from, to) => point.subarray(from, to).toString("base64url");
  const jwk = { kty: "EC", crv: "P-256", x: part(1, 33), y: part(33, 65) };
  const verified = verify(
    "sha256",
    Buffer.from(`${header}.${claims}`),
    { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" },
    Buffer.from(signature, "base64url"),
  );
  const json = (part) => JSON.parse(Buffer.from(part, "base64url"));
  console.log(JSON.stringify({ text: text.toString(), verified, header: json(header), claims: json(claims) }));
}
