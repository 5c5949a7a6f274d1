/** Answers of models: Markdown as elements of React, never as HTML. */
import { memo, type ReactNode, useMemo } from 'react';
import type { Citation } from '@crucible/prompting';
import { LongText } from './long-text.tsx';
import { type Block, type Inline, parseMarkdown, splitBlocks } from './markdown.ts';
import { visibleText } from './visible-text.ts';

interface MarkdownViewProps {
  readonly text: string;
  readonly citations?: readonly Citation[];
  readonly onCitation?: (citation: Citation) => void;
}

/** Longer ones stand as they are. */
const mostCharacters = 60_000;

const noCitations: readonly Citation[] = [];

export function MarkdownView({ text, citations = noCitations, onCitation }: MarkdownViewProps) {
  // While a text grows, its earlier blocks stay the same strings and are not drawn again.
  const parts = useMemo(() => (text.length > mostCharacters ? undefined : splitBlocks(text)), [text]);
  if (!parts) return <LongText text={text} label="Answer" />;
  return (
    <div className="markdown" dir="auto">
      {parts.map((part, i) => (
        <Part key={i} text={part} citations={citations} onCitation={onCitation} />
      ))}
    </div>
  );
}

interface Citing {
  readonly citations: readonly Citation[];
  readonly onCitation: ((citation: Citation) => void) | undefined;
}

const Part = memo(function Part({ text, ...citing }: { readonly text: string } & Citing) {
  const sources = new Set(citing.citations.map(({ number }) => number));
  return blocks(parseMarkdown(text, sources), citing);
});

function blocks(nodes: readonly Block[], citing: Citing): ReactNode {
  return nodes.map((node, i) => {
    switch (node.kind) {
      case 'paragraph':
        return (
          <p key={i} dir="auto">
            {inline(node.children, citing)}
          </p>
        );
      case 'heading':
        // No heading of the page: the page's own order would break.
        return (
          <p key={i} dir="auto" className="markdown-heading">
            {inline(node.children, citing)}
          </p>
        );
      case 'code':
        return <LongText key={i} text={node.text} isCode label={`Code ${node.language}`.trim()} />;
      case 'quote':
        return <blockquote key={i}>{blocks(node.children, citing)}</blockquote>;
      case 'rule':
        return <hr key={i} />;
      case 'list': {
        const items = node.items.map((item, j) => <li key={j}>{blocks(item, citing)}</li>);
        return node.ordered ? (
          <ol key={i} start={node.start}>
            {items}
          </ol>
        ) : (
          <ul key={i}>{items}</ul>
        );
      }
    }
  });
}

function inline(nodes: readonly Inline[], citing: Citing): ReactNode {
  return nodes.map((node, i) => {
    switch (node.kind) {
      case 'text':
        return node.text;
      case 'code':
        return (
          <code key={i} dir="ltr">
            {node.text}
          </code>
        );
      case 'strong':
        return <strong key={i}>{inline(node.children, citing)}</strong>;
      case 'emphasis':
        return <em key={i}>{inline(node.children, citing)}</em>;
      case 'link':
        return <OutsideLink key={i} text={node.text} address={node.address} />;
      case 'citation': {
        const citation = citing.citations.find(({ number }) => number === node.number);
        return citation ? (
          <CitationMark key={i} citation={citation} onCitation={citing.onCitation} />
        ) : (
          `[${node.number}]`
        );
      }
    }
  });
}

/** A model may have written anything: where it leads is always to be seen. */
function OutsideLink({ text, address }: { readonly text: string; readonly address: string }) {
  return (
    <a className="outside" href={address} target="_blank" rel="noreferrer noopener nofollow">
      <bdi>{visibleText(text)}</bdi>
      {text !== address && (
        <>
          {' '}
          <bdi className="address">({visibleText(address)})</bdi>
        </>
      )}
    </a>
  );
}

function CitationMark({
  citation,
  onCitation,
}: {
  readonly citation: Citation;
  readonly onCitation: Citing['onCitation'];
}) {
  const { number, passage, supported } = citation;
  return (
    <button
      type="button"
      className={supported ? 'citation' : 'citation doubtful'}
      aria-label={`Source ${number}: ${passage.document.title}${supported ? '' : ' (does not have these words)'}`}
      onClick={() => onCitation?.(citation)}
    >
      {number}
    </button>
  );
}
