export { applyChatTemplate, encodeChat } from './chat/chat.ts';
export type { ApplyChatTemplateOptions, EncodedChat } from './chat/chat.ts';
export type { ChatTemplateOptions } from './chat/chat-rendering.ts';
export { chatRoles } from './chat/chat-message.ts';
export type { ChatMessage, ChatRole } from './chat/chat-message.ts';
export type { TokenizerSettings } from './settings.ts';
export {
  assistantToken,
  endOfTextToken,
  endToken,
  ownChatTemplate,
  ownSettings,
  ownSpecialTokens,
  padToken,
  systemToken,
  toolToken,
  userToken,
} from './special-tokens.ts';
export { createStreamDecoder } from './stream-decoder.ts';
export type { StreamDecoder } from './stream-decoder.ts';
export { loadTokenizer, saveTokenizer } from './tokenizer-folder.ts';
export type { TokenIds } from './token-bytes.ts';
export { Tokenizer } from './tokenizer.ts';
export type { DecodeOptions, TokenizeOptions } from './tokenizer.ts';
export type { Encoding } from './post-processors/encoding.ts';
export { trainBpe } from './training/train-bpe.ts';
export type { TrainBpeOptions } from './training/train-bpe.ts';
export type { TrainingProgress } from './training/piece-counts.ts';
export { trainWordPiece } from './training/train-word-piece.ts';
export type { TrainWordPieceOptions } from './training/train-word-piece.ts';
