// What the operator's plots draw, without a page: node --test tests/client/
import assert from "node:assert/strict";
import test from "node:test";
import { ceiling, path } from "../../realtime/static/realtime/plot.js";

test("a scale ends at a number that is easy to read", () => {
  assert.deepEqual([1, 1.1, 2, 3, 5, 7, 10, 62, 999, 1001, 5e6].map(ceiling), [1, 2, 2, 5, 5, 10, 10, 100, 1000, 2000, 5e6]);
  assert.deepEqual([0.3, 0.1].map((value) => ceiling(value).toFixed(2)), ["0.50", "0.10"]);
});

test("time goes to the right edge, and the top of the scale is the top", () => {
  assert.equal(path([0, 5, 10], [600, 300, 0], 10), "M0.0,100.0L150.0,50.0L300.0,0.0");
});

test("what is not known is a gap, and what is too old is left out", () => {
  assert.equal(path([5, null, 5, 5], [30, 20, 10, 0], 10), "M285.0,50.0M295.0,50.0L300.0,50.0");
  assert.equal(path([5, 5], [601, 0], 10), "M300.0,50.0");
  assert.equal(path([], [], 10), "");
});
