// Clients of a room by realtime.js itself, without a browser: node --experimental-websocket crowd.mjs URL COUNT
// Each change of one's status is a line: {"status", "client", "due"}; `due` is when it will try again, in ms.
// That, and not the moment at which it did, tells of the client: on a busy machine Node is late.
const [url, count] = process.argv.slice(2);

// The little of a browser that the client needs.
globalThis.document = Object.assign(new EventTarget(), { querySelectorAll: () => [] });
for (const name of ["addEventListener", "removeEventListener", "dispatchEvent"])
  globalThis[name] ??= EventTarget.prototype[name].bind(new EventTarget());
globalThis.location = { href: url };
let people = 0;
globalThis.localStorage = { get realtimeClient() { return `person-${people++ % count}`; } };

const { join } = await import("../../realtime/static/realtime/realtime.js");
for (let n = 0; n < count; n++) {
  const room = join("crowd");
  room.on("status", ({ state, retryIn = 0 }) =>
    console.log(JSON.stringify({ status: state, client: n, due: performance.now() + retryIn })));
  await new Promise((done) => setTimeout(done, 5));
}
