// Texts of the bench: short and long, Chinese and English, as in a live stream.

const WORDS = ['生日快乐', '哈哈哈哈哈哈', '666', 'happy birthday!!', '第一次来，祝你天天开心，万事如意', 'gg', '前方高能', 'the candles are so beautiful tonight', '主播晚上好', '恭喜恭喜'];
const COUNT = 500;

/** Returns different texts, so that no engine gains by repeats. */
export function texts() {
  return Array.from({ length: COUNT }, (_, n) => `${WORDS[n % WORDS.length]} ${n}`);
}
