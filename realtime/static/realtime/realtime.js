/**
 * Rooms in the browser: `join("kitchen")` stays connected until `leave()`. The wire: docs/schema/.
 * Events: message, signal, members, join, update, leave, count, status, welcome, build, error, your own types.
 */
// @ts-check

/** @typedef {{id: string, name: string, connections: number, state: Record<string, any>, away: boolean}} Member */
/** @typedef {Map<string, Member>} Members */
/** @typedef {{name?: string, url?: string, history?: number, reload?: boolean}} Options
 * history: recent messages wanted; reload: for screens: on a new build, and nothing is final */

const PATIENCE = 10_000; // ms for an answer
const PROBE = 3000; // ms when in doubt
const STABLE = 5000; // ms until a connection counts
const SLOW = [30_000, 90_000]; // ms until a refused screen asks again
const BOUND = 100; // unacknowledged messages; one more is refused
const WINDOW = 16; // of them under way; so many refusals end no connection

const now = () => performance.now();
// Plain http has no randomUUID().
const page = crypto.getRandomValues(new Uint32Array(3)).join("-");
let refs = 0;

// Rules, without a socket.

/** @param {number} code */
export const isFinal = (code) => code >= 4400 && code < 4500;

/** ms until the next try. @param {number} tries @param {number[]} spread of the first */
export const delay = (tries, [least, most], chance = Math.random()) =>
  tries ? 200 + chance * Math.min(10_000, 500 * 2 ** tries) : least + chance * (most - least);

/** @param {any} seen @param {{epoch: string, messages: any[]}} welcome */
export const unseen = (seen, { epoch, messages }) =>
  messages.filter(({ offset }) => epoch !== seen.epoch || offset > seen.offset);

/** @param {Member[]} members @returns {Members} */
export const byId = (members) => new Map(members.map((member) => [member.id, member]));

/** @param {Members} members @param {{joins: Member[], updates: Member[], leaves: string[]}} presence */
export function patched(members, { joins, updates, leaves }) {
  const next = new Map([...members, ...byId(joins), ...byId(updates)]);
  for (const id of leaves) next.delete(id);
  return next;
}

/** What really differs. @param {Members} old @param {Members} members */
export function changes(old, members) {
  const all = [...members.values()];
  return {
    join: all.filter(({ id }) => !old.has(id)),
    update: all.filter((member) => old.has(member.id) && !same(member, old.get(member.id))),
    leave: [...old.values()].filter(({ id }) => !members.has(id)),
  };
}

/** @param {unknown} a @param {unknown} b */
const same = (a, b) => a === b || JSON.stringify(a) === JSON.stringify(b);

/** Two merge patches (RFC 7396) in one. @param {any} a @param {any} b @returns {any} */
export function combined(a, b) {
  if (![a, b].every((value) => value?.constructor === Object)) return b;
  return Object.entries(b).reduce((all, [key, value]) => ({ ...all, [key]: combined(a[key], value) }), a);
}

/** @param {string} code the server's, or full, closed, timeout @param {string} detail */
const failure = (code, detail) => Object.assign(new Error(detail), { code });

/** In an EventTarget a listener that throws stops no other. */
class Room extends EventTarget {
  id = ""; // mine
  /** @type {{state: "connecting"|"connected"|"reconnecting"|"closed", code?: number, reason?: string, retryIn?: number}} */
  status = { state: "connecting" };
  count = { members: 0, connections: 0 };
  /** @type {Members} */
  #members = new Map();
  #seq = 0;
  #seen = { epoch: "", offset: 0 };
  /** @type {Map<string, any>} */
  #calls = new Map(); // not acknowledged, by ref
  #slow = false;
  #state = {};
  #restate = false;
  #build = "";
  #tries = 0;
  #spread = [100, 1000];
  #bye = "";
  /** @type {WebSocket|undefined} */
  #socket;
  /** @type {WebSocket|undefined} */
  #up; // the same, once welcomed
  #attempt = new AbortController(); // aborted: what comes of it is ignored
  #life = new AbortController();
  #opened = -Infinity;
  #heard = 0;
  #timer = 0;
  #watchdog = 0;
  #probe = 0;

  /** @param {string} room @param {Options} options */
  constructor(room, options) {
    super();
    this.room = room;
    this.options = { ...options };
    let timer = 0;
    const wake = () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#wake(), 100);
    };
    for (const type of ["online", "offline", "focus", "pageshow"]) addEventListener(type, wake, this.#life);
    for (const type of ["visibilitychange", "resume"]) document.addEventListener(type, wake, this.#life);
    addEventListener("pagehide", () => this.#drop(), this.#life); // the browser closes the socket
    this.#open();
  }

  get members() { return [...this.#members.values()]; }
  get me() { return this.#members.get(this.id); }

  /** Returns what ends it.
   * @param {string} type @param {(detail: any) => void} listener @param {AddEventListenerOptions} [options] */
  on(type, listener, options) {
    const heard = (/** @type {any} */ event) => listener(event.detail);
    this.addEventListener(type, heard, options);
    return () => this.removeEventListener(type, heard);
  }

  /** To all; waits while away, is delivered once. @param {any} data @returns {Promise<number>} offset */
  send(data) {
    return new Promise((resolve, reject) => {
      if (this.status.state === "closed") return reject(failure("closed", "not in the room any more"));
      if (this.#calls.size >= BOUND) return reject(failure("full", `${BOUND} messages wait already`));
      const ref = `${page}-${++refs}`;
      this.#calls.set(ref, { frame: JSON.stringify({ type: "message", data, ref }), sent: Infinity, resolve, reject });
      this.#flush();
    });
  }

  /** To others; false: we are away. @param {any} data @param {{to?: string}} options */
  signal(data, options = {}) { return this.tell({ ...options, type: "signal", data }); }

  /** The same, of your own type. @param {{type: string, [field: string]: any}} frame */
  tell(frame) {
    if (!this.#up || this.#up.bufferedAmount > 65_536) return false;
    this.#up.send(JSON.stringify(frame));
    return true;
  }

  /** Merged into what others see of me. @param {Record<string, any>} state */
  setState(state) {
    this.#state = combined(this.#state, state);
    if (!this.tell({ type: "state", state })) this.#restate = true;
  }

  /** The old socket stays until the new one is welcomed. @param {string} name */
  rename(name) {
    this.options.name = name;
    const old = this.#up;
    this.on("welcome", () => (old ? old.close(1000) : same(name, this.options.name) || this.rename(name)), { once: true });
    if (old) this.#open();
  }

  leave() {
    this.tell({ type: "leave" });
    this.#end(1000, "you left");
  }

  async #open() {
    this.#drop();
    const on = (this.#attempt = new AbortController());
    this.#opened = now();
    const mute = () => this.#lost("the server does not answer");
    // At first not for long: the browser may have kept a dead connection.
    this.#timer = setTimeout(mute, Math.min(PATIENCE, PROBE * (this.#tries || 9)));
    const { name, history, url = `/ws/rooms/${encodeURIComponent(this.room)}/` } = this.options;
    const address = new URL(url, location.href.replace(/^http/, "ws"));
    const query = { name, history, client: client(), ...(this.#seen.epoch && this.#seen) };
    for (const [key, value] of Object.entries(query)) if (value != null) address.searchParams.set(key, value);
    // A WebSocket that fails makes Firefox hold back the next for up to a minute: ask by HTTP first.
    const asked = this.#tries && (await answer(address.href.replace(/^ws/, "http"), { method: "OPTIONS", signal: on.signal }));
    if (on.signal.aborted) return;
    if (asked > 501) return mute();
    const socket = (this.#socket = new WebSocket(address));
    socket.addEventListener("message", ({ data }) => this.#hear(JSON.parse(data)), on);
    socket.addEventListener("close", ({ code, reason }) => this.#lost(this.#bye || reason || "the connection broke", code), on);
  }

  #drop() {
    this.#attempt.abort();
    for (const timer of [this.#timer, this.#watchdog, this.#probe]) clearTimeout(timer);
    this.#socket = this.#up = undefined;
    this.#probe = 0;
    this.#bye = "";
    this.#opened = -Infinity;
    for (const call of this.#calls.values()) call.sent = Infinity;
  }

  /** @param {string} reason */
  #lost(reason, code = 1006) {
    const refused = isFinal(code);
    if (refused && !this.options.reload) return this.#end(code, reason);
    this.#socket?.close();
    this.#drop();
    const retryIn = refused ? delay(0, SLOW) : delay(this.#tries++, this.#spread);
    this.#timer = setTimeout(() => this.#open(), retryIn);
    this.#emit("status", (this.status = { state: this.id ? "reconnecting" : "connecting", code, reason, retryIn }));
  }

  /** @param {number} code @param {string} reason */
  #end(code, reason) {
    this.#socket?.close(1000);
    this.#drop();
    this.#life.abort();
    this.#emit("status", (this.status = { state: "closed", code, reason }));
    for (const { reject } of this.#calls.values()) reject(failure("closed", reason));
    this.#calls.clear();
  }

  /** A connection that lives is never ended. */
  #wake() {
    if (this.#up) this.#doubt();
    else if (this.status.state !== "closed" && now() - this.#opened > 2000) {
      this.#tries = 1;
      this.#socket?.close();
      this.#open();
    }
  }

  #doubt() {
    if (this.#probe) return;
    this.tell({ type: "resync" });
    this.#probe = setTimeout(() => this.#lost("the server went silent"), PROBE);
  }

  /** @param {number} heartbeat in s */
  #watch(heartbeat) {
    const every = Math.min(5000, heartbeat * 500);
    let [wall, mono] = [Date.now(), now()];
    this.#watchdog = setInterval(() => {
      const passed = now() - mono;
      const jumped = Math.abs(Date.now() - wall - passed) > 4000; // asleep, or set
      [wall, mono] = [Date.now(), now()];
      const silent = mono - this.#heard > heartbeat * 2500;
      if (jumped || (silent && passed > every + 2000)) this.#doubt();
      else if (silent) return this.#lost("the server went silent");
      for (const [ref, { sent }] of this.#calls)
        if (mono - sent > PATIENCE) this.#heard < sent ? this.#doubt() : this.#answered({ ref, code: "timeout", detail: "not acknowledged" });
    }, every);
  }

  /** @param {any} frame */
  #hear(frame) {
    this.#heard = now();
    clearTimeout(this.#probe);
    this.#probe = 0;
    const { type, ref, seq, offset } = frame;
    if (type === "welcome") this.#welcome(frame);
    else if (type === "ping") this.tell({ type: "pong" });
    else if (type === "bye") [this.#bye, this.#spread] = [frame.reason, frame.retry_ms];
    else if (this.#calls.has(ref)) this.#answered(frame);
    else if (type === "message") {
      if (offset <= this.#seen.offset) return;
      this.#seen.offset = offset;
      this.#emit(type, frame);
    } else if (type === "presence") {
      if (seq > this.#seq + 1) this.tell({ type: "resync" });
      if (seq > this.#seq) this.#roster(patched(this.#members, frame), frame);
    } else if (type !== "ack") this.#emit(type, frame);
  }

  /** @param {any} frame */
  #welcome(frame) {
    this.id = frame.member;
    this.#roster(byId(frame.members), frame);
    if (this.#up) return; // it answers `resync`
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#tries = 0), STABLE);
    const { epoch, offset, build } = frame;
    const news = unseen(this.#seen, frame);
    this.#seen = { epoch, offset };
    this.#spread = frame.retry_ms;
    this.#up = this.#socket;
    this.#watch(frame.heartbeat);
    this.#emit("status", (this.status = { state: "connected" }));
    this.#emit("welcome", frame);
    for (const message of news) this.#emit("message", { ...message, replayed: true });
    if (this.#build && this.#build !== build) {
      this.#emit("build", build);
      if (this.options.reload) reload(build);
    }
    this.#build = build;
    const forgotten = Object.keys(this.#state).length && !Object.keys(this.me?.state ?? {}).length;
    if (this.#restate || forgotten) this.#restate = !this.tell({ type: "state", state: this.#state });
    this.#slow = this.#calls.size > 1;
    this.#flush();
  }

  /** @param {Members} members @param {any} frame */
  #roster(members, { seq, count }) {
    const differences = Object.entries(changes(this.#members, members));
    // None: the server tells only how many.
    const named = this.#members.size && members.size;
    [this.#members, this.#seq] = [members, seq];
    this.options.name = this.me?.name ?? this.options.name;
    if (!same(count, this.count)) this.#emit("count", (this.count = count));
    if (differences.some(([, some]) => some.length)) this.#emit("members", this.members);
    if (named) for (const [type, some] of differences) for (const member of some) this.#emit(type, member);
  }

  /** After a return one by one: the server takes only so many a second. */
  #flush() {
    if (!this.#calls.size) this.#slow = false;
    let free = this.#slow ? 1 : WINDOW;
    for (const call of this.#calls.values()) {
      if (!this.#up || !free--) return;
      if (call.sent < Infinity) continue;
      this.#up.send(call.frame);
      call.sent = now();
    }
  }

  /** @param {any} frame */
  #answered({ ref, offset, code, detail }) {
    const call = this.#calls.get(ref);
    if (call && code === "rate") {
      this.#slow = true;
      call.sent = Infinity;
      return setTimeout(() => this.#flush(), 1000);
    }
    this.#calls.delete(ref);
    if (code) call?.reject(failure(code, detail));
    else call?.resolve(offset);
    this.#flush();
  }

  /** @param {string} type @param {any} detail */
  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}

/** HTTP status. @param {string} url @param {RequestInit} [options] */
const answer = (url, options) => fetch(url, { cache: "no-store", ...options }).then(({ status }) => status, () => Infinity);

/** Who we are without a cookie. */
function client() {
  try {
    return (localStorage.realtimeClient ??= page);
  } catch {
    return page;
  }
}

/** Once a build; not while somebody types, nor into an error page. @param {string} build */
async function reload(build) {
  try {
    if (sessionStorage.realtimeBuild === build) return;
    sessionStorage.realtimeBuild = build;
  } catch {}
  /** @type {NodeListOf<HTMLInputElement>} */
  const fields = document.querySelectorAll("input, textarea");
  do await new Promise((done) => setTimeout(done, Math.random() * 20_000));
  while ([...fields].some((field) => field.value !== field.defaultValue) || (await answer(location.href)) > 299);
  location.reload();
}

/** @param {string} room any name @param {Options} options */
export const join = (room, options = {}) => new Room(room, options);
