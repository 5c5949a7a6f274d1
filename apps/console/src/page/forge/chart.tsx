/** One curve as a picture: drawn with attributes alone, which the content security policy has nothing against. */
import { memo, type PointerEvent, useId, useState } from 'react';
import { figure, wholeNumber } from '../text/format.ts';
import { type CurvePoint, ticks } from './curves.ts';

interface ChartProps {
  readonly title: string;
  readonly points: readonly CurvePoint[];
  /** Of the whole stage; 0: not known. */
  readonly steps: number;
  readonly say?: (value: number) => string;
}

const width = 320;
const height = 150;
const left = 44;
const right = 8;
const top = 8;
const bottom = 22;

export const Chart = memo(function Chart({ title, points, steps, say = figure }: ChartProps) {
  const id = useId();
  const [shown, setShown] = useState<number>();
  const last = points.at(-1);
  if (!last) return null;
  const values = points.map(({ value }) => value);
  const [least, greatest] = [Math.min(...values), Math.max(...values)];
  const margin = 0.06 * (greatest - least);
  // A level line stands over its 0.
  const [low, high] =
    margin > 0 ? [least - margin, greatest + margin] : [Math.min(0, 1.5 * least), Math.max(0, 1.5 * least) || 1];
  const most = Math.max(steps, last.step, 1);
  const x = (step: number): number => left + ((width - left - right) * step) / most;
  const y = (value: number): number => top + ((height - top - bottom) * (high - value)) / (high - low);
  const line = points
    .map(({ step, value }, i) => `${i === 0 ? 'M' : 'L'}${round(x(step))} ${round(y(value))}`)
    .join('');
  const point = shown === undefined ? last : (points[shown] ?? last);

  const look = (event: PointerEvent<SVGSVGElement>): void => {
    const box = event.currentTarget.getBoundingClientRect();
    const step = ((((event.clientX - box.left) / box.width) * width - left) / (width - left - right)) * most;
    setShown(nearest(points, step));
  };
  return (
    <figure className="chart">
      <figcaption>
        <span>{title}</span>
        <span className="chart-value">
          {say(point.value)}
          {shown !== undefined && <span className="muted"> at {wholeNumber(point.step)}</span>}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-labelledby={id}
        onPointerMove={look}
        onPointerLeave={() => setShown(undefined)}
      >
        <title id={id}>
          {`${title}: from ${say(points[0]!.value)} at step ${wholeNumber(points[0]!.step)} to ${say(last.value)} at step ${wholeNumber(last.step)}; lowest ${say(least)}, highest ${say(greatest)}`}
        </title>
        {ticks(low, high).map((value) => (
          <g key={value}>
            <line className="grid" x1={left} x2={width - right} y1={round(y(value))} y2={round(y(value))} />
            <text className="tick" x={left - 6} y={round(y(value) + 3.5)} textAnchor="end">
              {say(value)}
            </text>
          </g>
        ))}
        <text className="tick" x={left} y={height - 6}>
          0
        </text>
        <text className="tick" x={width - right} y={height - 6} textAnchor="end">
          {wholeNumber(most)}
        </text>
        <path className="curve" d={line} />
        {(shown !== undefined || points.length === 1) && (
          <circle className="dot" cx={round(x(point.step))} cy={round(y(point.value))} r={3} />
        )}
      </svg>
    </figure>
  );
});

function round(value: number): number {
  return Math.round(10 * value) / 10;
}

/** Of points by rising steps. */
function nearest(points: readonly CurvePoint[], step: number): number {
  let [low, high] = [0, points.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle]!.step < step) low = middle + 1;
    else high = middle;
  }
  const isBefore = low > 0 && step - points[low - 1]!.step < points[low]!.step - step;
  return isBefore ? low - 1 : low;
}
