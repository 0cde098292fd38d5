// The threads that calls run in: at most as many as calls may run at once, started when they are needed, and used again.

import { Worker } from "node:worker_threads";

export class Threads {
  #environment;
  #limit;
  #running = new Set();
  #idle = [];
  #waiting = [];
  #isClosed = false;

  constructor(environment, limit) {
    this.#environment = environment;
    this.#limit = limit;
  }

  /** Calls a function of the component in a free thread, after waiting for one if all are busy. */
  async call(name, args) {
    const thread = await this.#take();
    try {
      return await thread.ask([name, args]);
    } finally {
      this.#release(thread);
    }
  }

  /** Ends all threads. Calls that are under way or waiting are rejected. */
  async close() {
    this.#isClosed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(closed());
    await Promise.all([...this.#running].map((thread) => thread.end()));
  }

  async #take() {
    if (this.#isClosed) throw closed();
    if (this.#idle.length > 0) return this.#idle.pop();
    if (this.#running.size < this.#limit) return this.#start();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  #start() {
    const thread = new Thread(this.#environment);
    this.#running.add(thread);
    return thread;
  }

  #release(thread) {
    if (!thread.isAlive) this.#running.delete(thread);
    const next = this.#waiting.shift();
    if (next !== undefined) next.resolve(thread.isAlive ? thread : this.#start());
    else if (thread.isAlive) this.#idle.push(thread);
  }
}

class Thread {
  isAlive = true;
  #worker;
  #asked;

  constructor(environment) {
    this.#worker = new Worker(new URL("worker.js", import.meta.url), { workerData: environment });
    this.#worker.on("message", (reply) => this.#asked?.resolve(reply));
    this.#worker.on("error", (error) => this.#died(error));
    this.#worker.on("exit", () => this.#died(closed()));
  }

  ask(message) {
    // A call that is under way keeps the process; an idle thread does not.
    this.#worker.ref();
    this.#worker.postMessage(message);
    const replied = new Promise((resolve, reject) => (this.#asked = { resolve, reject }));
    return replied.finally(() => this.#worker.unref());
  }

  end() {
    return this.#worker.terminate();
  }

  #died(error) {
    this.isAlive = false;
    this.#asked?.reject(error);
  }
}

function closed() {
  return new Error("AccessTokens was closed; a call that was under way may have taken effect");
}
