import { useEffect, useRef } from 'react';
import { apiKey, keyWanted } from '../api/http.ts';
import { ChatPage } from '../chat/chat-page.tsx';
import { ForgePage } from '../forge/forge-page.tsx';
import { KnowledgePage } from '../knowledge/knowledge-page.tsx';
import { RunsPage } from '../runs/runs-page.tsx';
import { useStore } from '../store.ts';
import { Announcer } from './announcer.tsx';
import { Icon } from './icons.tsx';
import { KeyDialog } from './key-dialog.tsx';
import { Link } from './link.tsx';
import { addressOf, type Page, pages, place } from './router.ts';
import { theme, type Theme, themes } from './theme.ts';

const titles: Readonly<Record<Page, string>> = { chat: 'Chat', knowledge: 'Knowledge', forge: 'Forge', runs: 'Runs' };

const content: Readonly<Record<Page, () => React.JSX.Element>> = {
  chat: ChatPage,
  knowledge: KnowledgePage,
  forge: ForgePage,
  runs: RunsPage,
};

export function App() {
  const { page } = useStore(place);
  const main = useRef<HTMLElement>(null);
  const opened = useRef(page);
  useEffect(() => {
    document.title = `${page === undefined ? 'Not found' : titles[page]} · Crucible`;
    // Who comes to another page begins at its top; so does the reader of a screen.
    if (opened.current === page) return;
    opened.current = page;
    scrollTo({ top: 0 });
    if (page !== 'chat') main.current?.focus();
  }, [page]);
  const Content = page === undefined ? NotFound : content[page];
  return (
    <>
      <a className="skip" href="#main">
        To the content
      </a>
      <header className="side">
        <Link to="/" className="brand">
          <svg className="brand-mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <path d="M16 2c1 4-4 6-4 10a4 4 0 0 0 8 0c0-1 0-2-.6-3C22 11 23 13 23 15h4l-3 13a3 3 0 0 1-3 2H11a3 3 0 0 1-3-2L5 15h4c0-6 6-8 7-13z" />
          </svg>
          <span>Crucible</span>
        </Link>
        <nav aria-label="Pages">
          <ul>
            {pages.map((each) => (
              <li key={each}>
                <Link to={addressOf(each)} aria-current={each === page ? 'page' : undefined}>
                  <Icon name={each} />
                  <span>{titles[each]}</span>
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <Settings />
      </header>
      <main id="main" tabIndex={-1} ref={main}>
        <Content />
      </main>
      <KeyDialog />
      <Announcer />
    </>
  );
}

const themeLabels: Readonly<Record<Theme, string>> = { system: 'As the system', light: 'Light', dark: 'Dark' };

function Settings() {
  const chosen = useStore(theme);
  const hasKey = useStore(apiKey) !== '';
  return (
    <div className="settings">
      <button type="button" className="quiet" onClick={() => keyWanted.set(true)}>
        <Icon name="key" />
        <span>{hasKey ? 'API key is set' : 'API key'}</span>
      </button>
      <label className="select">
        <span>Colours</span>
        <select value={chosen} onChange={(event) => theme.set(event.target.value as Theme)}>
          {themes.map((each) => (
            <option key={each} value={each}>
              {themeLabels[each]}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

function NotFound() {
  return (
    <div className="page">
      <h1>There is no such page</h1>
      <p>
        <Link to="/">To the chat</Link>
      </p>
    </div>
  );
}
