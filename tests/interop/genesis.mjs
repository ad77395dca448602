// Builds the first change of every kind of document with JavaScript alone and compares it with the hashes that phones
// and servers agree on (genesis.json, which the Rust test in shared/src/documents reads too). Run: node genesis.mjs

import { readFileSync } from "node:fs";
import * as A from "@automerge/automerge";

const GENESIS_ACTOR = Buffer.from("\0taiwa-genesis-v1").toString("hex");

const golden = JSON.parse(readFileSync(new URL("genesis.json", import.meta.url), "utf8"));
const different = [];

for (const expected of golden) {
  const made = A.change(A.init({ actor: GENESIS_ACTOR }), { time: 0, message: expected.message }, (doc) => {
    doc.schema = new A.Uint(1);
    doc.document = Uint8Array.from(Buffer.from(expected.document_bytes, "hex"));
    doc.kind = new A.ImmutableString(expected.key.kind);
    for (const [name, type] of expected.containers) {
      doc[name] = type === "text" ? "" : {};
    }
  });
  const change = A.getLastLocalChange(made);
  const [hash] = A.getHeads(made);
  const bytes = Buffer.from(change).toString("hex");
  const equal = hash === expected.hash && bytes === expected.bytes;
  if (!equal) different.push(`${expected.key.kind}/${expected.generation}: ${hash}, expected ${expected.hash}`);

  // And the other way round: JavaScript reads and edits what Rust made, under an actor of its own.
  let [read] = A.applyChanges(A.init(), [Uint8Array.from(Buffer.from(expected.bytes, "hex"))]);
  if (A.getHeads(read)[0] !== expected.hash) different.push(`${expected.key.kind}: read as ${A.getHeads(read)}`);
  if ("body" in read) {
    read = A.change(read, (doc) => A.splice(doc, ["body"], 0, 0, "👨‍👩‍👧と𠮷野家"));
    if (read.body !== "👨‍👩‍👧と𠮷野家") different.push(`memo: text became ${read.body}`);
  }
}

if (golden.length === 0) different.push("genesis.json is empty");
if (different.length > 0) {
  console.error(different.join("\n"));
  process.exit(1);
}
console.log(`${golden.length} first changes are the same in JavaScript`);
