import type { HttpMatch, GrpcMatch, Route } from "../routes/route.ts";
import type { ObjectStatus } from "./control-plane-status.ts";

/** GET /routes of the control plane: what holds at each port of a Service, and what became of the routes. */
export interface RoutesDump {
  /** In the order of names and numbers. */
  readonly ports: readonly RoutedPort[];
  /** All HTTPRoutes and GRPCRoutes that are declared. */
  readonly objects: readonly ObjectStatus[];
}

export interface RoutedPort {
  readonly namespace: string;
  /** Of the Service. */
  readonly name: string;
  readonly port: number;
  readonly sets: readonly RoutedSet[];
}

/** Routes that hold together. */
export type RoutedSet = {
  /** `producer`: for all clients whose namespace has none of its own; `consumer`: for pods of the routes' namespace. */
  readonly group: "producer" | "consumer";
  /** Of the routes. */
  readonly namespace: string;
} & (
  | { readonly kind: "http"; readonly routes: readonly Route<HttpMatch>[] }
  | { readonly kind: "grpc"; readonly routes: readonly Route<GrpcMatch>[] }
);
