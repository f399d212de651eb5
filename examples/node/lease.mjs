// Where this process stands with the lease that `migrate agent` holds for it.
//
//     import { lease } from "./lease.mjs";
//     lease.state;                       // "valid", "draining" or "lost"
//     lease.on("change", (told) => …);   // what the agent has said: told.state, and told.reason after a loss
//
// The agent's option --status-socket makes a socket and puts its path into PHASEGATE_STATUS_SOCKET. Nothing but Node is needed.

import { EventEmitter } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";

class Lease extends EventEmitter {
  #told;

  constructor(path = process.env.PHASEGATE_STATUS_SOCKET) {
    super();
    // Without an agent nobody knows of a lease, and nothing is to be lost. With one, what it says counts.
    this.#told = { state: path ? "lost" : "valid", reason: path && "the agent has not answered yet" };
    if (!path) return;
    const agent = connect(path);
    // It keeps no program from ending.
    agent.unref();
    let reason = "the agent is gone";
    agent.on("error", (error) => (reason = `the agent cannot be asked: ${error.message}`));
    // Nobody keeps the lease any more.
    agent.on("close", () => this.state !== "lost" && this.#tell({ state: "lost", reason }));
    createInterface({ input: agent }).on("line", (line) => {
      let told;
      try {
        told = JSON.parse(line);
      } catch (error) {
        // A line without its end, of an agent that was killed, is none.
        reason = `the agent cannot be understood: ${error.message}`;
        agent.destroy();
        return;
      }
      // Not in there: what a listener throws says nothing of the agent.
      this.#tell(told);
    });
  }

  #tell(told) {
    this.#told = told;
    this.emit("change", told);
  }

  get told() {
    return this.#told;
  }

  get state() {
    return this.#told.state;
  }
}

export const lease = new Lease();
