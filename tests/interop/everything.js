// Every kind of edit that the Automerge library has, but marks, and what a document shows afterwards.

import * as Automerge from "@automerge/automerge";
import { splice } from "@automerge/automerge-repo";

/** A key of the document becomes a counter. */
export function putCounter(handle, key, value) {
  handle.change((d) => void (d[key] = new Automerge.Counter(value)));
}

/** Every kind of edit, each step a change of its own. */
const steps = [
  (d) => {
    d.all = {
      text: "文字",
      plain: new Automerge.ImmutableString("素"),
      whole: 1,
      broken: 1.5,
      unsigned: new Automerge.Uint(7),
      float: new Automerge.Float64(2),
      yes: true,
      none: null,
      at: new Date(5),
      bytes: new Uint8Array([1, 2, 3]),
      count: new Automerge.Counter(3),
      empty: {},
      list: [1, "二", [3, [4]], { five: 5 }, null, new Automerge.Counter(6), new Date(7), false],
      map: { in: { in: { in: "奥" } } },
    };
  },
  (d) => d.all.count.increment(4),
  (d) => d.all.count.decrement(1),
  (d) => d.all.list[5].increment(2),
  (d) => {
    delete d.all.none;
    d.all.yes = false;
    d.all.whole = "文字になった";
    d.all.map = [];
    d.all.map.push({ again: true });
  },
  (d) => {
    d.all.list.splice(1, 2, "替え", new Automerge.Counter(1), { new: [] });
    d.all.list[0] = new Uint8Array([9]);
    d.all.list.unshift(new Automerge.ImmutableString("先頭"));
    Automerge.insertAt(d.all.list, 2, 0.25, { x: { y: null } });
    Automerge.deleteAt(d.all.list, 3);
    delete d.all.list[4];
  },
  (d) => Automerge.splice(d, ["all", "text"], 1, 1, "👨‍👩‍👧と"),
  (d) => Automerge.updateText(d, ["all", "text"], "すっかり書き直した🙂"),
  (d) => Automerge.splitBlock(d, ["all", "text"], 2, { type: new Automerge.ImmutableString("p"), parents: [], attrs: { a: 1 } }),
  (d) => Automerge.updateBlock(d, ["all", "text"], 2, { type: new Automerge.ImmutableString("q"), parents: [], attrs: {} }),
  (d) => Automerge.joinBlock(d, ["all", "text"], 2),
  (d) => Automerge.updateSpans(d, ["all", "text"], [
    { type: "block", value: { type: new Automerge.ImmutableString("h"), parents: [], attrs: {} } },
    { type: "text", value: "見出し" },
  ]),
];

export function everything(handle) {
  const early = handle.heads();
  for (const step of steps) handle.change(step);
  handle.change(steps[1], { message: "説明", time: 1 });
  // As of an earlier state, and a change of nothing.
  handle.changeAt(early, (d) => splice(d, ["body"], 0, 0, "前の版から。"));
  handle.change((d) => splice(d, ["body"], 0, 0, "今の版から。"));
  handle.update((doc) => Automerge.emptyChange(doc, { message: "何もない" }));
  handle.change((d) => (d.all.last = true));
  return { changes: Automerge.getAllChanges(handle.doc()).length };
}

/** As JSON, with what JSON has no word for spelled out and keys in order; then the conflicts at the key "put". */
export function json(handle) {
  const spell = (value) => {
    if (value instanceof Uint8Array) return { bytes: [...value] };
    if (value instanceof Date) return { date: value.getTime() };
    if (Automerge.isCounter(value)) return { counter: value.value };
    if (Array.isArray(value)) return value.map(spell);
    if (typeof value === "bigint") return Number(value);
    if (value === null || typeof value !== "object") return value;
    if (Automerge.isImmutableString(value)) return { plain: value.toString() };
    return Object.fromEntries(Object.keys(value).sort().map((key) => [key, spell(value[key])]));
  };
  // Loaded anew: what the library shows of two counters under one key after patches is sometimes the other one's sum.
  const doc = Automerge.load(Automerge.save(handle.doc()));
  const conflicts = Object.values(Automerge.getConflicts(doc, "put") ?? {}).map(spell).sort();
  return { json: JSON.stringify([spell(doc), conflicts]) };
}
