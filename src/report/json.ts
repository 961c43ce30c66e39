import { reportModel, type ReportInput } from './model.js';

/** drill.json as derived, and the view that the other formats render, for tools. One JSON document with a line feed. */
export function reportJson(input: ReportInput): string {
  return `${JSON.stringify({ drill: input.drill, report: reportModel(input) }, null, 2)}\n`;
}
