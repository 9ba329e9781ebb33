// XML as the operators send it: saxes' owner. A document type declaration is refused, so there are no
// entities of its own to expand and nothing outside to fetch. Elements are walked; no tree is built.

import { SaxesParser } from 'saxes';
import type { RefusedResponse } from './feed.ts';

export interface XmlHandler {
  /** Local name, without prefix. */
  open(name: string): void;
  /** All text directly inside the element, trimmed. */
  close(name: string, text: string): void;
}

const DEPTH_MAX = 64;

/** Walks the document; null when it is whole, else why it is refused. */
export function walkXml(text: string, handler: XmlHandler): RefusedResponse | null {
  const parser = new SaxesParser({ xmlns: false, position: true });
  const stack: string[] = [];
  const texts: string[] = [];
  let refusal: RefusedResponse | null = null;
  const refuse = (detail: string): void => {
    refusal ??= { reason: 'malformed', detail: `${detail} (line ${parser.line})` };
  };
  parser.on('error', (error) => refuse(`the XML is not well formed: ${error.message}`));
  parser.on('doctype', () => refuse('a document type declaration is not accepted'));
  parser.on('opentag', ({ name }) => {
    if (stack.length >= DEPTH_MAX) refuse(`elements are nested deeper than ${DEPTH_MAX}`);
    if (refusal !== null) return;
    stack.push(localName(name));
    texts.push('');
    handler.open(localName(name));
  });
  const append = (piece: string): void => {
    const last = texts.length - 1;
    if (last >= 0) texts[last] += piece;
  };
  parser.on('text', append);
  parser.on('cdata', append);
  parser.on('closetag', ({ name }) => {
    if (refusal !== null) return;
    stack.pop();
    handler.close(localName(name), (texts.pop() ?? '').trim());
  });
  for (let at = 0; at < text.length && refusal === null; at += PIECE)
    parser.write(text.slice(at, at + PIECE));
  if (refusal === null) parser.close();
  return refusal;
}

const PIECE = 1 << 16;

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}
