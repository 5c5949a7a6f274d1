import { useId, useState } from 'react';
import { LongText } from '../text/long-text.tsx';
import { inputText } from '../trace/trace-list.tsx';
import type { AskedApproval } from './answer.ts';

interface ApprovalCardProps {
  readonly approval: AskedApproval;
  readonly onDecision: (approved: boolean, reason: string) => void;
}

const outcomes = {
  allowed: 'Allowed, this once.',
  refused: 'Refused.',
  over: 'The run ended before this was decided; it did not run.',
};

/** What would run, to the letter, and whether it may. Nothing runs by being left alone. */
export function ApprovalCard({ approval, onDecision }: ApprovalCardProps) {
  const { tool, description, input, state, error } = approval;
  const [reason, setReason] = useState('');
  const id = useId();
  const isOpen = state === 'open' || state === 'sending';
  return (
    <div className={isOpen ? 'approval open' : 'approval'} role="group" aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>
        {isOpen ? 'May the model use ' : 'The model asked for '}
        <code dir="ltr">{tool}</code>
        {isOpen ? '?' : ''}
      </h2>
      {description !== '' && (
        <p className="muted" dir="auto">
          {description}
        </p>
      )}
      <LongText text={inputText(input)} isCode isVisible label="What would run" />
      {isOpen ? (
        <>
          <label htmlFor={`${id}-reason`}>Reason, if you refuse; the model is told</label>
          <input
            id={`${id}-reason`}
            value={reason}
            maxLength={1000}
            onChange={(event) => setReason(event.target.value)}
          />
          <div className="row">
            <button
              type="button"
              className="primary"
              disabled={state === 'sending'}
              onClick={() => onDecision(true, '')}
            >
              Allow once
            </button>
            <button type="button" disabled={state === 'sending'} onClick={() => onDecision(false, reason.trim())}>
              Refuse
            </button>
          </div>
          {error !== undefined && (
            <p className="step-warning" role="alert">
              {error}
            </p>
          )}
        </>
      ) : (
        <p>
          {outcomes[state]}
          {state === 'refused' && approval.reason !== '' && <> “{approval.reason}”</>}
        </p>
      )}
    </div>
  );
}
