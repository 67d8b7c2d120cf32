import { mkdirSync, rmSync } from "node:fs";
import { exit, umask } from "node:process";
import { systemClock } from "#mesh/clock.ts";
import { prepareMachine } from "./launch/prepare-machine.ts";
import { mappedUids } from "./launch/user-ids.ts";
import { LocalMesh } from "./local-mesh.ts";
import { parseRuntimeSettings } from "./runtime-settings.ts";
import { listenOnSocket } from "./socket/runtime-server.ts";
import { lockFile } from "./state/file-lock.ts";
import { stateFolder } from "./state/state-folder.ts";

/**
 * The runtime of a local mesh. `heddle up` starts it in namespaces of its own (local/launch/runtime-command.ts); when it
 * ends, however it ends, the kernel takes away everything that it made.
 */
const run = async (): Promise<void> => {
  // Whatever is not for everybody says so itself; hosts files and the like must be readable for every user id.
  umask(0o022);
  const settings = parseRuntimeSettings(process.env);
  if (!settings.ok) return fail(settings.error.join("; "));
  const state = stateFolder(settings.value.stateRoot, settings.value.name);
  if (!state.ok) return fail(state.error);
  mkdirSync(state.value.root, { recursive: true, mode: 0o700 });
  if (lockFile(state.value.lock) === undefined) return fail(`a mesh called ${settings.value.name} is up already`);
  const machine = await prepareMachine(settings.value, state.value);
  if (!machine.ok) return fail(machine.error);
  const mesh = new LocalMesh({
    settings: settings.value,
    state: state.value,
    machine: machine.value,
    uids: mappedUids(),
    clock: systemClock,
    random: Math.random,
    say,
  });
  const end = (): void => {
    rmSync(state.value.socket, { force: true });
    exit(0);
  };
  await listenOnSocket(mesh, state.value.socket, end);
  mesh.start();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void mesh.stop().then(end));
};

const say = (message: string): void => {
  process.stdout.write(`${new Date().toISOString()} ${message}\n`);
};

const fail = (problem: string): never => {
  say(`heddle: ${problem}`);
  exit(1);
};

await run();
