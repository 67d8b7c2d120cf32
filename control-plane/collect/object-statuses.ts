import type { ObjectStatus } from "#mesh/admin/control-plane-status.ts";
import type { MeshObject } from "#mesh/objects/mesh-object.ts";
import { REDIRECTION_ANNOTATION } from "#mesh/objects/pod.ts";
import { type InForce, nameKey, type ObjectReport } from "./file-objects.ts";
import type { FirstByPath } from "./first-by-path.ts";

const FOREIGN_CAPTURE = `annotation ${REDIRECTION_ANNOTATION} is ignored here: only who captures the pod's traffic sets it`;

/** What is to be said of every declaration in a folder. @param isAssigned whether pods are assigned by somebody else */
export const declarationStatuses = (objects: FirstByPath<MeshObject>, isAssigned: boolean): readonly ObjectStatus[] =>
  [...objects.files()].flatMap(([path, { reports }]) =>
    reports.map((report) => {
      const key = nameKey(report.named);
      const winner = objects.winner(key);
      if (!winner || report.isTwin) return statusOf(report, false);
      if (objects.winningPath(key) !== path)
        return statusOf(report.problems.length === 0 ? lost(report, winner) : report, false);
      return statusOf(isAssigned ? withCaptureWarning(report, winner) : report, true);
    }),
  );

/** Reports of what is wrong, as statuses; those of what is in order are left out. */
export const problemStatuses = (reports: readonly ObjectReport[]): readonly ObjectStatus[] =>
  reports.filter(({ problems }) => problems.length > 0).map((report) => statusOf(report, false));

const statusOf = ({ named, source, problems, warnings }: ObjectReport, serving: boolean): ObjectStatus => ({
  ...named,
  source,
  accepted: problems.length === 0,
  serving,
  problems,
  warnings,
});

const lost = (report: ObjectReport, winner: InForce<MeshObject>): ObjectReport => ({
  ...report,
  problems: [{ path: "metadata.name", message: `is already declared in ${winner.source}, whose path comes first` }],
});

const withCaptureWarning = (report: ObjectReport, { item }: InForce<MeshObject>): ObjectReport =>
  item.metadata.annotations.has(REDIRECTION_ANNOTATION)
    ? { ...report, warnings: [...report.warnings, FOREIGN_CAPTURE] }
    : report;
