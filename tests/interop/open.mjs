// Opens sealed reads as docs/ref/sealed-read.md says, written from that text alone: a second implementation keeps the text honest.
//
//   node open.mjs < request.json
//
// request: {recipient, root_key, roster, epoch_private_keys: {epoch: JWK}, now, wires: [text, …]}
// answer:  [{opened: {tags, content}} | {refused: reason}, …]

import { webcrypto } from "node:crypto";

import { compactDecrypt, compactVerify, flattenedVerify, importJWK } from "jose";

// Debian 12's Node 18 keeps these behind a flag; later ones have them.
globalThis.crypto ??= webcrypto;
globalThis.CryptoKey ??= webcrypto.CryptoKey;

const IDENTIFIER = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const BUCKETS = [2048, 8192, 16384, 32768];
const ONE_DAY = 86_400_000;

class Refused extends Error {
  constructor(reason, what) {
    super(`${reason}: ${what}`);
    this.reason = reason;
  }
}

function must(condition, what, reason = "malformed") {
  if (!condition) throw new Refused(reason, what);
}

function decode(segment, what) {
  must(typeof segment === "string" && /^[A-Za-z0-9_-]+$/.test(segment), `${what}: not base64url`);
  const bytes = Buffer.from(segment, "base64url");
  must(bytes.toString("base64url") === segment, `${what}: stray bits`);
  return bytes;
}

// Members that are whole numbers, wherever they stand.
const WHOLE = ["v", "seq", "version", "frames"];

// JSON.parse keeps the last of two equal keys without a word, and makes 1 of 1.0; so keys are counted, and whole numbers looked at, in the text.
// A byte order mark is no JSON: the decoder must hand it on (`ignoreBOM`), where JSON.parse refuses it.
function parse(bytes, what) {
  let text, value;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    must(false, `${what}: not JSON`);
  }
  must(value !== null && typeof value === "object" && !Array.isArray(value), `${what}: not an object`);
  const open = [];
  for (const [token, colon, number] of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:\s*(-?[0-9][0-9.eE+-]*)?)?|[{}[\]]/g)) {
    if (token === "{" || token === "[") open.push(new Set());
    else if (token === "}" || token === "]") open.pop();
    else if (colon !== undefined) {
      const key = JSON.parse(token.slice(0, token.lastIndexOf('"') + 1));
      must(number === undefined || !WHOLE.includes(key) || /^-?(0|[1-9][0-9]*)$/.test(number), `${what}: ${key} is not written as a whole number`);
      must(!open.at(-1).has(key), `${what}: a key twice`);
      open.at(-1).add(key);
    }
  }
  return value;
}

function members(value, required, optional, what) {
  must(value !== null && typeof value === "object" && !Array.isArray(value), `${what}: not an object`);
  for (const name of required) must(Object.hasOwn(value, name), `${what}: lacks ${name}`);
  for (const name of Object.keys(value)) must(required.includes(name) || optional.includes(name), `${what}: unknown member`);
}

const same = (left, right) => JSON.stringify(left) === JSON.stringify(right);
const whole = (value, least) => Number.isSafeInteger(value) && value >= least;
const text = (value) => typeof value === "string" && value.length >= 1 && [...value].length <= 200 && !/\p{C}|(?! )\p{Z}/u.test(value);

function time(value, what) {
  const moment = typeof value === "string" && TIME.test(value) ? Date.parse(value) : NaN;
  must(!Number.isNaN(moment) && new Date(moment).toISOString() === value, `${what}: not a time`);
  return moment;
}

function day(value, what) {
  const start = typeof value === "string" && DAY.test(value) ? Date.parse(`${value}T00:00:00.000Z`) : NaN;
  must(!Number.isNaN(start) && new Date(start).toISOString().startsWith(value), `${what}: not a day`);
  return start;
}

function publicKey(jwk, curve, what) {
  members(jwk, ["kty", "crv", "x"], [], what);
  must(jwk.kty === "OKP" && jwk.crv === curve && decode(jwk.x, what).length === 32, `${what}: not a key of ${curve}`);
}

// What every version keeps; of a version that is not known here, all that may be looked at.
function checkMinimum(tags) {
  must(typeof tags.read === "string" && /^[0-9a-f]{32}$/.test(tags.read), "tags: read");
  for (const name of ["device", "recipient"]) {
    must(typeof tags[name] === "string" && IDENTIFIER.test(tags[name]), `tags: ${name}`);
  }
}

function checkTags(tags) {
  const names = ["v", "read", "device", "seq", "captured_at", "clock", "policy", "rule", "category", "match"];
  members(tags, [...names, "recipient", "purpose", "epoch", "deadline", "unverified"], [], "tags");
  must(tags.v === 1 && tags.unverified === true, "tags: v or unverified");
  checkMinimum(tags);
  for (const name of ["rule", "category", "purpose"]) {
    must(typeof tags[name] === "string" && IDENTIFIER.test(tags[name]), `tags: ${name}`);
  }
  must(whole(tags.seq, 1), "tags: seq");
  must(["trusted", "os"].includes(tags.clock), "tags: clock");
  must(["exact", "text", "confusable"].includes(tags.match), "tags: match");
  members(tags.policy, ["name", "version", "digest"], [], "tags: policy");
  must(text(tags.policy.name) && whole(tags.policy.version, 0) && /^[0-9a-f]{64}$/.test(tags.policy.digest), "tags: policy");
  const deadline = time(tags.deadline, "tags: deadline");
  must(deadline === day(tags.epoch, "tags: epoch") + ONE_DAY, "tags: deadline is not the end of the epoch");
  must(time(tags.captured_at, "tags: captured_at") < deadline, "tags: captured after the deadline");
}

function takeApart(wire) {
  must(typeof wire === "string" && /^[\x00-\x7f]*$/.test(wire) && wire.length <= 65536, "wire: size or not ASCII");
  const lines = wire.split("\n");
  must(lines.length === 2, "wire: not two lines");
  const jwe = lines[0].split(".");
  must(jwe.length > 1 && jwe[0].length <= 4096, "JWE: no header, or too long a one");
  const header = parse(decode(jwe[0], "JWE header"), "JWE header");
  const { alpr } = header;
  must(alpr !== null && typeof alpr === "object" && !Array.isArray(alpr) && whole(alpr.v, 1), "tags: v");
  const jws = lines[1].split(".");
  must(jws.length === 3 && jws[1] === "" && decode(jws[2], "signature").length === 64, "JWS: not detached");
  const outer = parse(decode(jws[0], "JWS header"), "JWS header");
  members(outer, ["alg", "b64", "crit", "kid"], [], "JWS header");
  must(outer.alg === "Ed25519" && outer.b64 === false && same(outer.crit, ["b64"]), "JWS header");
  must(typeof outer.kid === "string" && IDENTIFIER.test(outer.kid), "JWS header");
  if (alpr.v === 1) checkFirstLine(header, jwe, outer.kid);
  return { tags: alpr, signer: outer.kid, jwe: lines[0], protected: jws[0], signature: jws[2] };
}

function checkFirstLine(header, jwe, signer) {
  must(jwe.length === 5, "JWE: not five segments");
  members(header, ["alg", "enc", "kid", "epk", "crit", "alpr"], [], "JWE header");
  publicKey(header.epk, "X25519", "epk");
  checkTags(header.alpr);
  const tags = header.alpr;
  must(header.alg === "ECDH-ES+A256KW" && header.enc === "A256GCM" && same(header.crit, ["alpr"]), "JWE header: algorithms");
  must(header.kid === `${tags.recipient}/${tags.epoch}`, "JWE header: kid");
  const sizes = jwe.slice(1).map((segment) => decode(segment, "JWE").length);
  must(sizes[0] === 40 && sizes[1] === 12 && BUCKETS.includes(sizes[2]) && sizes[3] === 16, "JWE: sizes");
  must(signer === tags.device, "JWS header: kid");
}

function checkContent(content, tags) {
  const plate = ["plate", "confidence", "char_confidence", "alternatives", "state", "region", "frames"];
  members(content, ["v", "match"], [...plate, "captured_at", "camera", "crop"], "content");
  must(content.v === 1, "content: v");
  members(content.match, ["level", "agency", "case", "source_date", "posterior"], [], "content: match");
  must(content.match.level === tags.match && text(content.match.agency) && text(content.match.case), "content: match");
  day(content.match.source_date, "content: source_date");
  const { posterior } = content.match;
  must(posterior === null || (fraction(posterior) && posterior <= 0.9999), "content: posterior");
  for (const [name, tag] of [["captured_at", tags.captured_at], ["camera", tags.device]]) {
    if (Object.hasOwn(content, name)) must(content[name] === tag, `content: ${name} is not the tag's`);
  }
  if (Object.hasOwn(content, "crop")) checkCrop(content.crop);
  if (plate.some((name) => Object.hasOwn(content, name))) {
    members(content, ["v", "match", ...plate], ["captured_at", "camera", "crop"], "content");
    checkPlate(content, tags);
  }
}

const fraction = (value) => typeof value === "number" && value >= 0 && value <= 1;
const plateText = (value) => typeof value === "string" && /^[0-9A-Z]{0,12}$/.test(value);

function checkPlate(content, tags) {
  must(plateText(content.plate) && fraction(content.confidence), "content: plate");
  const each = content.char_confidence;
  must(Array.isArray(each) && each.length === content.plate.length && each.every(fraction), "content: char_confidence");
  must(Array.isArray(content.alternatives) && content.alternatives.length <= 8, "content: alternatives");
  const texts = new Set([content.plate]);
  let sum = content.confidence;
  for (const other of content.alternatives) {
    members(other, ["plate", "probability"], [], "content: alternatives");
    must(plateText(other.plate) && fraction(other.probability) && !texts.has(other.plate), "content: alternatives");
    texts.add(other.plate);
    sum += other.probability;
  }
  must(sum <= 1.001, "content: more than certain");
  must(content.state === null || (typeof content.state === "string" && IDENTIFIER.test(content.state)), "content: state");
  must(["us", "eu", "uk", "br", "unknown"].includes(content.region), "content: region");
  must(whole(content.frames, 1), "content: frames");
  must(isTestPlate(content.plate) === (tags.category === "test"), "content: a test plate, or the category, alone");
}

// docs/design/rehearsal.md
function isTestPlate(plate) {
  const places = [...plate.slice(4)].map((character) => "3479ACEFHJKMNPRTUVWXY".indexOf(character));
  if (!plate.startsWith("TEST") || places.length !== 5 || places.includes(-1)) return false;
  return [1, 2, 4, 5].reduce((sum, weight, at) => sum + weight * places[at], 0) % 21 === places[4];
}

// The frame header's size, before anybody decodes the picture.
function checkCrop(crop) {
  const data = typeof crop === "string" ? Buffer.from(crop, "base64") : Buffer.alloc(0);
  must(data.toString("base64") === crop && data.readUIntBE(0, Math.min(3, data.length)) === 0xffd8ff, "content: crop is no JPEG");
  let at = 2;
  let pixels = 0;
  for (;;) {
    must(at + 9 <= data.length && data[at] === 0xff, "content: crop is cut or odd");
    const marker = data[at + 1];
    if (marker === 0xff) at += 1;
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2;
    else if (marker === 0xda) break;
    else {
      const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
      if (isFrame && pixels === 0) pixels = data.readUInt16BE(at + 5) * data.readUInt16BE(at + 7);
      at += 2 + Math.max(2, data.readUInt16BE(at + 2));
    }
  }
  must(pixels > 0 && pixels <= 1_048_576 && data.indexOf(Buffer.from([0xff, 0xd9]), at) >= 0, "content: crop");
}

async function rosterOf(request) {
  const header = parse(decode(request.roster.split(".")[0], "roster"), "roster");
  must(same(Object.keys(header).sort(), ["alg", "typ"]) && header.typ === "platewarden-roster", "roster: header");
  const key = await importJWK(request.root_key, "Ed25519");
  const { payload } = await compactVerify(request.roster, key, { algorithms: ["Ed25519"] });
  return new Map(parse(payload, "roster").devices.map((entry) => [entry.device, entry.key]));
}

async function open(wire, request, roster) {
  const read = takeApart(wire);
  const { tags } = read;
  must(roster.has(read.signer), "device", "device-not-enrolled");
  publicKey(roster.get(read.signer), "Ed25519", "roster");
  const signer = await importJWK(roster.get(read.signer), "Ed25519");
  const outer = { payload: read.jwe, protected: read.protected, signature: read.signature };
  await flattenedVerify(outer, signer, { algorithms: ["Ed25519"] }).catch((error) => must(false, error.message, "signature-invalid"));
  if (tags.v !== 1) {
    checkMinimum(tags);
    must(tags.device === read.signer, "JWS header: kid");
  }
  must(tags.recipient === request.recipient, "recipient", "not-for-this-recipient");
  must(tags.v === 1, `version ${tags.v} is not known here`, "unsupported-version");
  must(Date.parse(tags.deadline) > Date.parse(request.now), "deadline", "deadline-passed");
  const jwk = request.epoch_private_keys[tags.epoch];
  must(jwk !== undefined, "epoch", "key-destroyed");
  const options = { keyManagementAlgorithms: ["ECDH-ES+A256KW"], contentEncryptionAlgorithms: ["A256GCM"] };
  if (!request.do_not_know_alpr) options.crit = { alpr: true }; // a test switch: what a library does that was not told
  const opened = await compactDecrypt(read.jwe, await importJWK(jwk, "ECDH-ES+A256KW"), options).catch((error) =>
    must(false, error.message, "decryption-failed"),
  );
  const padded = Buffer.from(opened.plaintext);
  let end = padded.length;
  while (end > 0 && padded[end - 1] === 0x20) end -= 1;
  must(padded[0] === 0x7b && padded[end - 1] === 0x7d, "content: not one object, followed by spaces");
  const content = parse(padded.subarray(0, end), "content");
  checkContent(content, tags);
  return { tags, content };
}

let input = "";
for await (const chunk of process.stdin) input += chunk;
const request = JSON.parse(input);
const roster = await rosterOf(request);
const answers = [];
for (const wire of request.wires) {
  try {
    answers.push({ opened: await open(wire, request, roster) });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    answers.push({ refused: error.reason, what: error.message });
  }
}
console.log(JSON.stringify(answers));
