// foldersums is a job: it says which files of a folder are new, changed or gone since its last run, by their SHA-256.

import { config, get, progress, set } from "./host";
import { add, begin, end } from "./sha256";
import { fail, granted, list, read, say, warn } from "./wasi";

const FOLDER = "/watched";
const STATE = "sums"; // lines as sha256sum prints them: the sum, two blanks, the path
const MOST_STATE = 256 << 10; // bytes of one value
const DIGITS = 64; // of a sum

/** The sums of the last run by path; null before the first. */
function remembered(): Map<string, string> | null {
  const text = get(STATE);
  if (text === null) return null;
  const sums = new Map<string, string>();
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) {
    if (lines[i].length > DIGITS + 2) sums.set(lines[i].substring(DIGITS + 2), lines[i].substring(0, DIGITS));
  }
  return sums;
}

/** The sum of a file, or "" where it cannot be read. */
function sum(root: i32, path: string): string {
  begin();
  return read(root, path, add) ? end() : "";
}

function run(): void {
  const root = granted(FOLDER);
  if (root < 0) return fail("no folder is granted as " + FOLDER);
  const paths: string[] = [];
  if (!list(root, "", paths)) return fail("what cannot be listed would look as if it were gone; nothing is compared");
  paths.sort();

  const old = remembered();
  const lines: string[] = [];
  let fresh = 0, changed = 0, gone = 0, percent = -1;
  for (let i = 0; i < paths.length; i++) {
    const path = paths[i];
    let now = sum(root, path);
    const before = old !== null && old.has(path) ? old.get(path) : "";
    if (old !== null) old.delete(path);
    if (now == "") {
      if (before == "") continue; // it is new once it can be read
      now = before;
    }
    lines.push(now + "  " + path + "\n");
    if (before == "") {
      fresh++;
      if (old !== null) say("new      " + path);
    } else if (before != now) {
      changed++;
      say("changed  " + path);
    }
    const done = 100 * (i + 1) / paths.length;
    if (done != percent) progress(done);
    percent = done;
  }
  if (old === null) {
    say("watching " + lines.length.toString() + " files");
  } else {
    const left = old.keys().sort();
    for (gone = 0; gone < left.length; gone++) say("gone     " + left[gone]);
    say(`${lines.length} files: ${fresh} new, ${changed} changed, ${gone} gone`);
  }
  const text = lines.join("");
  if (config("print") == "sums") say("\n" + text.trimEnd());
  if (String.UTF8.byteLength(text) > MOST_STATE) return fail(`${lines.length} files are too many to remember; grant a folder with fewer`);
  if (text == "") warn("the folder has no files");
  set(STATE, text == "" ? "\n" : text); // an empty value would be none
}

run();
