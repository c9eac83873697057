// The parts of the pages of a run and a task that are plain calculation.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { test as always } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const ui = fileURLToPath(new URL("../../internal/web/ui/", import.meta.url));

// The compiler comes with the console's own modules: `make ui`.
const test = (name, f) => always(name, { skip: !existsSync(`${ui}node_modules/rolldown`) && "make ui has not run here" }, f);

/** load compiles a module of the console, with the compiler that bundles it, and imports it. */
async function load(path) {
  const require = createRequire(`${ui}package.json`);
  const { rolldown } = await import(pathToFileURL(require.resolve("rolldown")).href);
  const bundle = await rolldown({ input: `${ui}src/${path}`, logLevel: "silent" });
  const { output } = await bundle.generate({ format: "esm" });
  await bundle.close();
  return import(`data:text/javascript;base64,${Buffer.from(output[0].code).toString("base64")}`);
}

test("a scene: steps, kin and what is hit", async () => {
  const { Scene } = await load("graph/scene.ts");
  const s = scene(Scene);
  assert.equal(s.step(0, "right"), 2, "to the nearest downstream");
  assert.equal(s.step(2, "down"), 3);
  assert.equal(s.step(2, "up"), 1);
  assert.equal(s.step(4, "left"), 2);
  assert.equal(s.step(4, "right"), 4, "the end of the way");
  assert.deepEqual([...s.kin(2).nodes].sort(), [0, 2, 4]);
  assert.equal(s.hit(220, 70), 2);
  assert.equal(s.hit(215, 50), -1);
});

test("closing groups keeps the order, joins the edges, and leaves no room unused", async () => {
  const { Scene, close } = await load("graph/scene.ts");
  const open = scene(Scene);
  assert.equal(close(open, new Set()), open);
  const s = close(open, new Set(["fan"]));
  assert.deepEqual(s.nodes.map((n) => n.id), ["a", "group:fan", "z"]);
  assert.deepEqual(s.edges.map((e) => [e.from, e.to]), [[0, 1], [1, 2]]);
  assert.deepEqual(s.nodes[1].tasks, [1, 2, 3]);
  assert.equal(s.nodeOfTask[3], 1);
  for (const e of s.edges) {
    const [a, b] = [s.nodes[e.from], s.nodes[e.to]];
    assert.deepEqual(e.points, [a.x + a.w, a.y + a.h / 2, b.x, b.y + b.h / 2]);
  }
  assert.ok(s.bounds.h <= open.bounds.h);
});

test("closing a group of a thousand brings what is far apart together", async () => {
  const { Scene, close } = await load("graph/scene.ts");
  const nodes = [];
  for (let i = 0; i < 1000; i++) nodes.push(node(`m${i}`, 8, 8 + 58 * i, i, "many"));
  nodes.push(node("far", 236, 8, 1000, ""));
  const s = close(new Scene(nodes, [{ from: 999, to: 1000, points: [188, 57972, 236, 30] }], [{ id: "many", label: "many", members: nodes.slice(0, 1000).map((_, i) => i) }]), new Set(["many"]));
  assert.equal(s.nodes.length, 2);
  assert.ok(s.bounds.h < 200, `${s.bounds.h} px for two boxes`);
});

test("a view: scaling keeps the place under the pointer", async () => {
  const { zoom, fit, reveal } = await load("graph/view.ts");
  const v = { x: 10, y: 20, k: 0.5 };
  const w = zoom(v, 2, 100, 50);
  assert.deepEqual([w.x + 100 / w.k, w.y + 50 / w.k], [v.x + 100 / v.k, v.y + 50 / v.k]);
  const f = fit({ x: 0, y: 0, w: 4000, h: 100 }, { w: 800, h: 600 });
  assert.ok(f.k < 0.2 && f.x <= 0, "the whole width is in sight");
  const far = reveal({ x: 0, y: 0, k: 1 }, { x: 5000, y: 0, w: 100, h: 44 }, { w: 800, h: 600 });
  assert.ok(far.x + 800 >= 5100 && far.x <= 5000);
});

test("a buffer of a log: places and positions", async () => {
  const { Buffer, rowsOf, maxLines } = await load("log/buffer.ts");
  const lines = (from, n, size = 100) => Array.from({ length: n }, (_, i) => ({ pos: from + i * size, next: from + (i + 1) * size, text: `line ${from / size + i}` }));
  const b = new Buffer(20);
  b.reset({ lines: lines(50_000, 100), head: 50_000, tail: 60_000, size: 100_000_000 });
  assert.ok(b.height <= 8_100_000, "no page is higher than browsers bear");
  assert.equal(b.indexOf(50_150), 1);
  assert.equal(b.indexOf(49_999), -1);
  assert.equal(b.indexAt(b.placeOf(42) + 5), 42);
  assert.ok(Math.abs(b.posAt(b.height) - b.size) < 2000);
  assert.equal(b.append({ lines: lines(70_000, 1), head: 70_000, tail: 70_100, size: 0 }), false, "a gap");
  assert.equal(b.prepend({ lines: lines(40_000, 100), head: 40_000, tail: 50_000, size: 0 }), true);
  assert.equal(b.lines.length, 200);
  for (let at = 60_000; b.lines.length < maxLines || at < 800_000; at += 100_000) assert.ok(b.append({ lines: lines(at, 1000), head: at, tail: at + 100_000, size: 0 }));
  assert.equal(b.lines.length, maxLines);
  assert.equal(b.head, b.lines[0].pos, "what is let go of is let go of at the head");
  assert.equal(rowsOf("x".repeat(101), 50), 3);
  assert.equal(rowsOf("a\nbb", 0), 2);
  assert.equal(rowsOf("漢字漢字", 4), 2);
});

test("ticks of a timeline", async () => {
  const { ticksOf } = await load("timeline/scale.ts");
  const labels = (from, to, least) => ticksOf(from, to, least, 0).map((t) => t.label);
  assert.deepEqual(labels(0, 4000, 800), ["0", "+1 s", "+2 s", "+3 s", "+4 s"]);
  assert.deepEqual(labels(60_000, 180_000, 50_000), ["+1 min", "+2 min", "+3 min"]);
  assert.deepEqual(labels(3_600_000, 3_630_000, 10_000), ["+1:00:00", "+1:00:10", "+1:00:20", "+1:00:30"]);
  assert.deepEqual(labels(0, 300, 90), ["0", "+0.1 s", "+0.2 s", "+0.3 s"]);
  assert.ok(labels(0, 1e12, 1).length <= 200);
});

test("a tree of a value", async () => {
  const { rowsOf, allOpen, at, template } = await load("xcom/tree.ts");
  const value = { a: [1, { b: null }], "it's": "x" };
  assert.deepEqual(rowsOf(value, "v", new Set()).map((r) => r.name), ["v"]);
  const rows = rowsOf(value, "v", allOpen(value, 9));
  assert.deepEqual(rows.map((r) => `${r.depth} ${r.name}`), ["0 v", "1 a", "2 0", "2 1", "3 b", "1 it's"]);
  assert.equal(at(value, ["a", 1, "b"]), null);
  assert.equal(template("t", "return_value", ["a", 1, "b"]), "{{ ti.xcom_pull(task_ids='t')['a'][1]['b'] }}");
  assert.equal(template("t", "k", ["it's"]), "{{ ti.xcom_pull(task_ids='t', key='k')['it\\'s'] }}");
  const many = rowsOf(Array.from({ length: 5000 }, (_, i) => i), "v", new Set(["[]"]));
  assert.equal(many.length, 2002, "a long list is cut, and says so");
});

test("tasks are sifted and sorted", async () => {
  const { sift } = await load("pages/runShow.ts");
  const t = { ids: ["load", "extract", "Check"], kinds: ["BashOperator", "S3KeySensor"], kind: [0, 0, 1], states: "sfz" };
  assert.deepEqual(sift(t, "", ""), [0, 1, 2]);
  assert.deepEqual(sift(t, "S3KEY", ""), [2]);
  assert.deepEqual(sift(t, "check", ""), [2]);
  assert.deepEqual(sift(t, "", "sf"), [0, 1]);
});

function node(id, x, y, task, group) {
  return { id, label: id, kind: "", tasks: [task], group, closed: false, x, y, w: 180, h: 44 };
}

/** a leads to three of a group, which lead to z. */
function scene(Scene) {
  const nodes = [node("a", 0, 58, 0, ""), node("f1", 220, 0, 1, "fan"), node("f2", 220, 58, 2, "fan"), node("f3", 220, 116, 3, "fan"), node("z", 440, 58, 4, "")];
  const edge = (from, to) => ({ from, to, points: [nodes[from].x + 180, nodes[from].y + 22, nodes[to].x, nodes[to].y + 22] });
  return new Scene(nodes, [1, 2, 3].flatMap((i) => [edge(0, i), edge(i, 4)]), [{ id: "fan", label: "f*", members: [1, 2, 3] }]);
}
