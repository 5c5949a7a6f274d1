export { applyChatTemplate, encodeChat } from './chat.ts';
export type { ApplyChatTemplateOptions, EncodedChat } from './chat.ts';
export { chatRoles } from './chat-message.ts';
export type { ChatMessage, ChatRole } from './chat-message.ts';
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
export type { DecodeOptions } from './tokenizer.ts';
export { trainBpe } from './train-bpe.ts';
export type { TrainBpeOptions, TrainBpeProgress } from './train-bpe.ts';
