// SHA-256 (FIPS 180-4) and RFC 6962 trees. Plain code, because WebCrypto answers later, and a log
// takes millions of hashes.

const ROUND = new Uint32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
const FIRST = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];
const words = new Uint32Array(64);

function compress(state, view, at) {
  for (let i = 0; i < 16; i++) words[i] = view.getUint32(at + 4 * i);
  for (let i = 16; i < 64; i++) {
    const a = words[i - 15],
      b = words[i - 2];
    const s0 = ((a >>> 7) | (a << 25)) ^ ((a >>> 18) | (a << 14)) ^ (a >>> 3);
    const s1 = ((b >>> 17) | (b << 15)) ^ ((b >>> 19) | (b << 13)) ^ (b >>> 10);
    words[i] = (words[i - 16] + s0 + words[i - 7] + s1) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND[i] + words[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => {
    state[i] = (state[i] + word) | 0;
  });
}

// The digest of some byte arrays, one after another: 32 bytes.
function sha256(...parts) {
  const size = parts.reduce((sum, one) => sum + one.length, 0);
  const padded = new Uint8Array((size + 9 + 63) & ~63);
  let at = 0;
  for (const one of parts) {
    padded.set(one, at);
    at += one.length;
  }
  padded[size] = 0x80;
  const view = new DataView(padded.buffer),
    state = new Int32Array(FIRST);
  view.setUint32(padded.length - 8, Math.floor(size / 0x20000000));
  view.setUint32(padded.length - 4, (size << 3) >>> 0);
  for (let block = 0; block < padded.length; block += 64) compress(state, view, block);
  const digest = new Uint8Array(32),
    out = new DataView(digest.buffer);
  state.forEach((word, i) => out.setInt32(4 * i, word));
  return digest;
}

const LEAF = new Uint8Array([0]),
  NODE = new Uint8Array([1]);
const leafHash = (salt, details) => sha256(LEAF, sha256(salt, details));
const nodeHash = (left, right) => sha256(NODE, left, right);

// A tree that grows: its size, and the roots of its full subtrees, the largest first.
class Frontier {
  constructor() {
    this.size = 0;
    this.peaks = [];
  }

  append(leaf) {
    let node = leaf;
    for (let merges = this.size; merges % 2 === 1; merges = (merges - 1) / 2) {
      node = nodeHash(this.peaks.pop(), node);
    }
    this.peaks.push(node);
    this.size += 1;
  }

  root() {
    if (!this.peaks.length) return sha256();
    return this.peaks
      .slice(0, -1)
      .reduceRight((root, peak) => nodeHash(peak, root), this.peaks.at(-1));
  }
}

const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
const ascii = (text) => new TextEncoder().encode(text);

function same(one, other) {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

function fromHex(text) {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Error("no hexadecimal digits");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

// Standard and URL-safe base64; whatever is spelled otherwise than we would is refused.
function fromBase64(text, urlSafe = false) {
  const plain = urlSafe ? text.replace(/-/g, "+").replace(/_/g, "/") : text;
  const bytes = Uint8Array.from(atob(plain), (one) => one.charCodeAt(0));
  if (toBase64(bytes).replace(/=+$/, urlSafe ? "" : "$&") !== plain)
    throw new Error("not canonical base64");
  return bytes;
}

function toBase64(bytes) {
  return btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join(""));
}
