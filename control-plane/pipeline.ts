import type { Clock } from "#mesh/clock.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";
import type { CollectedChange, CollectedObject } from "./collect/object-source.ts";
import type { MeshContext } from "./derive/mesh-context.ts";
import { MeshModel } from "./derive/mesh-model.ts";
import { errorText, type Log } from "./log.ts";
import { Catalog, type CatalogChange } from "./publish/catalog.ts";
import { Debounce, PUBLISH_DEBOUNCE } from "./publish/debounce.ts";
import { inventoryOf } from "./publish/inventory.ts";
import { InventoryFeed } from "./publish/inventory-feed.ts";

/** Called when something is published. */
export type OnPublished = (change: CatalogChange) => void;

/** Roots are no part of a change: every node compares those it has. */
const NO_NAMES: CatalogChange = { addresses: new Set(), routing: new Set() };

/** The way of an object: collected, derived, published. */
export class Pipeline {
  readonly model: MeshModel;
  readonly catalog = new Catalog();
  readonly inventory: InventoryFeed;
  readonly #objects = new Map<string, CollectedObject>();
  readonly #pending = new Map<string, CollectedObject | undefined>();
  readonly #debounce: Debounce;
  readonly #onPublished: OnPublished;
  readonly #log: Log;

  constructor(context: MeshContext, clock: Clock, log: Log, onPublished: OnPublished) {
    this.model = new MeshModel(context);
    this.inventory = new InventoryFeed(() => inventoryOf(this.#objects.values(), this.model), clock);
    this.#debounce = new Debounce(PUBLISH_DEBOUNCE, clock, () => this.flush());
    this.#onPublished = onPublished;
    this.#log = log;
  }

  /** Takes objects in, to be published with others that come soon. */
  collected(change: CollectedChange): void {
    for (const [key, object] of change) this.#pending.set(key, object);
    this.#debounce.request();
  }

  /** Publishes what was collected so far. Never throws. */
  flush(): void {
    this.#debounce.stop();
    const changes = [...this.#pending];
    this.#pending.clear();
    try {
      for (const [key, object] of changes) {
        if (object) this.#objects.set(key, object);
        else this.#objects.delete(key);
      }
      const change = this.model.apply(new Map(changes.map(([key, object]) => [key, object?.current])));
      const published = this.catalog.apply(change);
      this.inventory.changed();
      this.#onPublished(published);
      const { addresses, routing } = published;
      this.#log.debug(
        { objects: changes.length, addresses: addresses.size, routing: routing.size },
        "published a change",
      );
    } catch (error) {
      this.#log.error({ error: errorText(error) }, "publishing a change failed; nodes keep what they have");
    }
  }

  trust(bundle: TrustBundle): void {
    this.catalog.setBundle(bundle);
    this.#onPublished(NO_NAMES);
  }

  stop(): void {
    this.#debounce.stop();
    this.inventory.stop();
  }
}
