/** Text of others, of any length: as it was written, and only as much at once as can be read. */
import { memo, useState } from 'react';
import { wholeNumber } from './format.ts';
import { visibleText } from './visible-text.ts';

interface LongTextProps {
  readonly text: string;
  /** Characters that are shown at first. Default 4,000. */
  readonly most?: number;
  /** In the letters of programs. */
  readonly isCode?: boolean;
  /** Show characters that cannot be seen. */
  readonly isVisible?: boolean;
  /** For who cannot see it: what it is. A long text can be scrolled, and so has the focus. */
  readonly label?: string;
}

/** What one more click shows. */
const more = 20_000;

export const LongText = memo(function LongText({
  text,
  most = 4000,
  isCode = false,
  isVisible = false,
  label,
}: LongTextProps) {
  const [shown, setShown] = useState(most);
  const part = cut(text, shown);
  const rest = text.length - part.length;
  const isLarge = part.length > 600 || part.split('\n', 20).length > 14;
  return (
    <div className="long-text">
      <pre
        className={isCode ? 'code' : 'prose'}
        dir={isCode ? 'ltr' : 'auto'}
        {...(isLarge && { tabIndex: 0, role: 'group', 'aria-label': label ?? 'Text' })}
      >
        {isVisible ? visibleText(part) : part}
      </pre>
      {rest > 0 && (
        <button type="button" className="quiet" onClick={() => setShown(shown + more)}>
          Show more ({wholeNumber(rest)} characters are left)
        </button>
      )}
    </div>
  );
});

/** Not through the middle of a character. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? most - 1 : most);
}
