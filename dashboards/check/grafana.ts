// The JSON of our dashboards in the types of Grafana's own schema. A test gives each dashboard this type.
import type { AnnotationQuery, Dashboard, DataQuery, Panel, RowPanel } from '@grafana/schema';
import type { Options as HeatmapOptions } from '@grafana/schema/heatmap';
import type { Options as StatOptions } from '@grafana/schema/stat';
import type { FieldConfig, Options as SeriesOptions } from '@grafana/schema/timeseries';

/** A type as JSON has it: an enumeration's member is its text. */
type Json<T> = T extends string ? `${T}`
  : T extends number | boolean | null | undefined ? T
  : { [K in keyof T]: Json<T[K]> };

/** A query of the data source Prometheus, which the schema of dashboards leaves open. */
interface PrometheusQuery extends DataQuery {
  expr: string;
  legendFormat: string;
  format: 'time_series' | 'heatmap';
  range: true;
}

interface PrometheusAnnotation extends AnnotationQuery {
  expr: string;
  titleFormat: string;
  step: string;
  useValueForTime: boolean;
}

type Defaults = Omit<NonNullable<Panel['fieldConfig']>['defaults'], 'custom'>;

/** A panel of a kind, with the kind's options and the style of its fields. */
type Of<Kind, Options, Custom = {}> = Omit<Panel, 'type' | 'targets' | 'options' | 'fieldConfig'> & {
  type: Kind;
  targets: PrometheusQuery[];
  options: Options;
  fieldConfig: { defaults: Defaults & { custom: Custom }; overrides: [] };
};

type AnyPanel =
  | RowPanel
  | Of<'stat', StatOptions>
  | Of<'timeseries', SeriesOptions, FieldConfig>
  | Of<'heatmap', HeatmapOptions>;

export type Checked = Json<
  Omit<Dashboard, 'panels' | 'annotations'> & {
    panels: AnyPanel[];
    annotations: { list: PrometheusAnnotation[] };
  }
>;
