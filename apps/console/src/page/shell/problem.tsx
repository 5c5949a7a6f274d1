import { Icon } from './icons.tsx';

interface ProblemProps {
  readonly text: string;
  readonly onRetry?: (() => void) | undefined;
}

export function Problem({ text, onRetry }: ProblemProps) {
  return (
    <div className="problem" role="alert">
      <Icon name="warning" />
      <p dir="auto">{text}</p>
      {onRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
