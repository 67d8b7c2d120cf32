import { expect, test } from "vitest";
import { containerCommand, type ContainerHost, execCommand } from "./container-command.ts";
import type { ContainerPlan } from "./container-plan.ts";

const host: ContainerHost = {
  uids: 65_536,
  program: "/srv/heddle",
  bindOptions: "ro,relatime",
  nodeFolder: "/srv/node",
  hidden: "/var/lib/heddle",
  tools: "/no-such-folder",
};
const plan: ContainerPlan = {
  name: "app",
  command: ["serve", "--port", "80"],
  environment: { PATH: "/run/node", SECRET: "sesame" },
  workingDir: "/srv/app",
  uid: 1000,
  capabilities: ["CHOWN"],
};
const place = { networkNamespace: "shop.web-0", hostname: "web-0", hostsFile: "/run/heddle/hosts/shop.web-0" };

const textOf = (command: readonly string[]): string => command.join(" ");

test("a container gets its pod's network, and everything else for itself", () => {
  expect(textOf(containerCommand(host, place, plan).command)).toContain(
    "nsenter --net=/run/netns/shop.web-0 unshare --mount --propagation slave --uts --ipc --pid --fork --kill-child sh " +
      "/srv/heddle/local/containers/surroundings.sh",
  );
});

test("its command runs as its user, with its capabilities, in its folder", () => {
  expect(textOf(containerCommand(host, place, plan).command)).toContain(
    "setpriv --bounding-set=-all,+chown --inh-caps=-all --reuid=1000 --regid=1000 --clear-groups sh /run/init.sh " +
      "env --chdir=/srv/app serve --port 80",
  );
});

test("what is in its environment does not show in lists of processes", () => {
  const { command, environment } = containerCommand(host, place, plan);
  expect(textOf(command)).not.toContain("sesame");
  expect(environment).toMatchObject({ SECRET: "sesame", POD_HIDDEN: "/var/lib/heddle" });
});

test("root changes no user id, and with one user id no groups", () => {
  const text = textOf(containerCommand({ ...host, uids: 1 }, place, { ...plan, uid: undefined }).command);
  expect(text).not.toMatch(/--reuid|--clear-groups/);
});

test("another program in a container can do what the container can, and dies with whoever asked for it", () => {
  expect(textOf(execCommand(host, plan, 42, ["ls", "-l"], undefined).command)).toBe(
    "nsenter --target=42 --mount --uts --ipc --net --pid setpriv --bounding-set=-all,+chown --inh-caps=-all " +
      "--reuid=1000 --regid=1000 --clear-groups --pdeathsig KILL env --chdir=/srv/app ls -l",
  );
});

test("a program on a terminal gets the client's size, and its words unchanged", () => {
  const terminal = { rows: 40, columns: 120, term: "screen" };
  const { command, environment } = execCommand(host, plan, 42, ["echo", "it's", "$HOME"], terminal);
  expect(command.slice(-4)).toEqual([
    "script",
    "-qefc",
    "stty rows 40 cols 120; exec 'echo' 'it'\\''s' '$HOME'",
    "/dev/null",
  ]);
  expect(environment.TERM).toBe("screen");
});
