// Reports of letters, as `GET /v1/admin/reports` has them.

/** An item as the reporter saw it. */
export interface EvidenceItem {
  position: number;
  sender: string;
  at_ms: number;
  kind?: string;
  body?: { name?: unknown; text?: unknown; sticker?: unknown };
  recalled?: boolean;
  recalls?: number;
}

export interface Report {
  id: number;
  at_ms: number;
  reporter: string;
  user: string;
  conversation: string;
  reason: string;
  evidence: EvidenceItem[] | null;
  closed_by?: string;
  closed_at_ms?: number;
  note?: string;
}
