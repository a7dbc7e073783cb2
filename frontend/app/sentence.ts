// The server's sentences begin with a picture: takes it apart from the words.

export interface Sentence {
  picture: string;
  words: string;
}

const picture = /^(?:\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\uFE0F|\u200D\p{Extended_Pictographic})*)+/u;

export function splitSentence(text: string): Sentence {
  const found = picture.exec(text)?.[0] ?? "";
  return { picture: found, words: text.slice(found.length).trim() };
}
