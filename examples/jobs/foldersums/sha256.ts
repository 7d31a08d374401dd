// SHA-256, as FIPS 180-4 has it.

const K: StaticArray<u32> = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

const state = new StaticArray<u32>(8);
const schedule = new StaticArray<u32>(64);
const pending = new StaticArray<u8>(64); // bytes that are no whole block yet
let bytes: u64 = 0;

/** Begins a sum; there is one at a time. */
export function begin(): void {
  const initial: StaticArray<u32> = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
  ];
  for (let i = 0; i < 8; i++) state[i] = initial[i];
  bytes = 0;
}

/** Adds bytes of the memory. */
export function add(at: usize, len: usize): void {
  const room = changetype<usize>(pending);
  while (len > 0) {
    const filled = <usize>(bytes & 63);
    const n = min<usize>(64 - filled, len);
    memory.copy(room + filled, at, n);
    bytes += n;
    at += n;
    len -= n;
    if (filled + n == 64) turn(room);
  }
}

/** Ends the sum, and returns it in hexadecimal digits. */
export function end(): string {
  const room = changetype<usize>(pending), bits = bytes << 3;
  let filled = <usize>(bytes & 63);
  store<u8>(room + filled++, 0x80);
  if (filled > 56) {
    memory.fill(room + filled, 0, 64 - filled);
    turn(room);
    filled = 0;
  }
  memory.fill(room + filled, 0, 56 - filled);
  store<u64>(room, bswap(bits), 56);
  turn(room);
  let text = "";
  for (let i = 0; i < 8; i++) text += (<u64>state[i]).toString(16).padStart(8, "0");
  return text;
}

/** Takes in one block of 64 bytes. */
function turn(at: usize): void {
  const w = schedule;
  for (let i = 0; i < 16; i++) w[i] = bswap(load<u32>(at + (<usize>i << 2)));
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15], y = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (rotr(x, 7) ^ rotr(x, 18) ^ (x >>> 3)) + (rotr(y, 17) ^ rotr(y, 19) ^ (y >>> 10));
  }
  let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (let i = 0; i < 64; i++) {
    const t1 = h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i];
    const t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}
