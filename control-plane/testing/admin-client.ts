import { request } from "node:http";
import type { AuthorityStatus, ControlPlaneDump, NodeStatus } from "#mesh/admin/control-plane-status.ts";
import type { Inventory } from "#mesh/admin/inventory.ts";

export interface AdminAnswer<Body> {
  readonly status: number;
  readonly body: Body;
}

/** Calls the admin API on a unix socket. */
export class AdminClient {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async call<Body>(method: "GET" | "POST", path: string, body?: object): Promise<AdminAnswer<Body>> {
    return new Promise((resolve, reject) => {
      const headers = body ? { "content-type": "application/json" } : {};
      const call = request({ socketPath: this.#socketPath, method, path, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) as Body }),
        );
      });
      call.on("error", reject);
      call.end(body && JSON.stringify(body));
    });
  }

  async nodes(): Promise<readonly NodeStatus[]> {
    return (await this.call<readonly NodeStatus[]>("GET", "/nodes")).body;
  }

  async dump(): Promise<ControlPlaneDump> {
    return (await this.call<ControlPlaneDump>("GET", "/config_dump")).body;
  }

  async certificates(): Promise<AuthorityStatus> {
    return (await this.call<AuthorityStatus>("GET", "/certificates")).body;
  }

  async inventory(query = ""): Promise<Inventory> {
    return (await this.call<Inventory>("GET", `/inventory${query}`)).body;
  }

  async joinToken(node: string, ttlSeconds?: number): Promise<string> {
    const { body } = await this.call<{ readonly token: string }>("POST", "/join-tokens", { node, ttlSeconds });
    return body.token;
  }
}
