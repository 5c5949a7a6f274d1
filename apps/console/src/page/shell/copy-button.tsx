import { useState } from 'react';
import { announce } from './announcer.tsx';
import { Icon } from './icons.tsx';

export function CopyButton({ text }: { readonly text: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      announce('Copied.');
      setTimeout(() => setCopied(false), 2000);
    } catch {
      announce('The browser does not let this page copy.');
    }
  };
  return (
    <button type="button" className="quiet small" onClick={() => void copy()}>
      <Icon name={isCopied ? 'check' : 'copy'} />
      <span>Copy</span>
    </button>
  );
}
