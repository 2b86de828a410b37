// The rules of realtime.js, without a socket: node --test tests/client/
import assert from "node:assert/strict";
import test from "node:test";
import { byId, changes, combined, delay, isFinal, patched, unseen } from "../../realtime/static/realtime/realtime.js";

const member = (id, more = {}) => ({ id, name: id, connections: 1, state: {}, away: false, ...more });
const roster = (...ids) => byId(ids.map((id) => member(id)));
const presence = (more) => ({ joins: [], updates: [], leaves: [], ...more });
const ids = (differences) => Object.fromEntries(Object.entries(differences).map(([type, some]) => [type, some.map(({ id }) => id)]));

test("only 44xx is final: everything else is tried again, 1000 included", () => {
  const final = [1000, 1001, 1005, 1006, 1009, 1011, 1012, 3000, 4399, 4400, 4401, 4499, 4500, 4503, 4508].filter(isFinal);
  assert.deepEqual(final, [4400, 4401, 4499]);
});

test("the first try is spread as the server asked", () => {
  assert.equal(delay(0, [100, 5000], 0), 100);
  assert.equal(delay(0, [100, 5000], 1), 5000);
});

test("later tries have full jitter, at most 10 s and some more", () => {
  assert.equal(delay(1, [100, 5000], 0), 200);
  assert.deepEqual([1, 2, 3, 4, 5, 50, 5000].map((tries) => delay(tries, [0, 0], 1)), [1200, 2200, 4200, 8200, 10200, 10200, 10200]);
});

test("a thousand clients do not come back in one moment", () => {
  const busiest = (tries) => {
    const tenths = new Map();
    for (let i = 0; i < 1000; i++) {
      const tenth = Math.floor(delay(tries, [100, 5000]) / 100);
      tenths.set(tenth, (tenths.get(tenth) ?? 0) + 1);
    }
    return Math.max(...tenths.values());
  };
  assert.ok(busiest(0) < 60, "the first");
  assert.ok(busiest(9) < 40, "a late one");
});

test("messages that were seen are no news, but in another epoch all are", () => {
  const messages = [{ offset: 4 }, { offset: 5 }, { offset: 6 }];
  assert.deepEqual(unseen({ epoch: "a", offset: 5 }, { epoch: "a", messages }), [{ offset: 6 }]);
  assert.deepEqual(unseen({ epoch: "a", offset: 5 }, { epoch: "b", messages }), messages);
  assert.deepEqual(unseen({ epoch: "", offset: 0 }, { epoch: "a", messages }), messages);
});

test("a presence sets joins and updates and discards leaves, known or not", () => {
  const after = patched(roster("a", "b"), presence({ joins: [member("b"), member("c")], updates: [member("d")], leaves: ["a", "x"] }));
  assert.deepEqual([...after.keys()], ["b", "c", "d"]);
});

test("a presence changes nothing of the members before it", () => {
  const before = roster("a");
  patched(before, presence({ joins: [member("b")], leaves: ["a"] }));
  assert.deepEqual([...before.keys()], ["a"]);
});

test("a presence that comes twice makes no difference the second time", () => {
  const frame = presence({ joins: [member("b")], leaves: ["a"] });
  const once = patched(roster("a"), frame);
  assert.deepEqual(ids(changes(once, patched(once, structuredClone(frame)))), { join: [], update: [], leave: [] });
});

test("of two rosters only what really differs is told", () => {
  const before = byId([member("a"), member("b", { state: { hand: "up" } }), member("c")]);
  const after = byId([member("b", { state: { hand: "up" } }), member("c", { away: true }), member("d")]);
  assert.deepEqual(ids(changes(before, after)), { join: ["d"], update: ["c"], leave: ["a"] });
});

test("ids may be words that objects have", () => {
  const odd = ["__proto__", "constructor", "toString"];
  assert.deepEqual(ids(changes(roster(), roster(...odd))).join, odd);
  assert.deepEqual(ids(changes(roster(...odd), patched(roster(...odd), presence({ leaves: ["toString"] })))).leave, ["toString"]);
});

// RFC 7396, to check the one patch against the two.
const merge = (target, patch) => {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const all = target !== null && typeof target === "object" && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete all[key];
    else all[key] = merge(all[key], value);
  }
  return all;
};

test("a server that has forgotten a state gets it back by one patch for all", () => {
  const patches = [{ a: 1 }, { a: null }, { a: { b: 1 } }, { a: { b: null, c: [1] } }, { a: { c: { d: 2 } }, e: "x" }, {}];
  for (const first of patches) {
    for (const second of patches) {
      assert.deepEqual(merge({}, combined(first, second)), merge(merge({}, first), second));
    }
  }
});
