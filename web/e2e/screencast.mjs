// Films the page: the browser delivers frames also while the page's main thread is busy.

/** Films the page while `run` runs; `run` returns the first and the last moment that count, as Unix milliseconds. */
export async function filmed(page, run) {
  const session = await page.context().newCDPSession(page);
  const frames = [];
  session.on('Page.screencastFrame', ({ data, metadata, sessionId }) => {
    frames.push({ data, atMs: metadata.timestamp * 1000 });
    // The last acknowledgement may come after the session has ended.
    session.send('Page.screencastFrameAck', { sessionId }).catch(() => undefined);
  });
  await session.send('Page.startScreencast', { format: 'png', everyNthFrame: 4 });
  const [fromMs, toMs] = await run();
  await session.send('Page.stopScreencast');
  await session.detach();
  // Frames are encoded in parallel, and may arrive out of order.
  return frames.filter(({ atMs }) => fromMs < atMs && atMs < toMs).sort((a, b) => a.atMs - b.atMs);
}

/** Returns the left edge of a colour in each frame, in pixels; null where the colour is missing. */
export async function leftOf(browser, frames, color) {
  const page = await browser.newPage();
  const lefts = await page.evaluate(
    async ([images, [red, green, blue]]) => {
      const found = [];
      for (const image of images) {
        const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${image}`)).blob());
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
        context.drawImage(bitmap, 0, 0);
        const { data, width } = context.getImageData(0, 0, bitmap.width, bitmap.height);
        let left = null;
        for (let at = 0; at < data.length; at += 4) {
          if (data[at] !== red || data[at + 1] !== green || data[at + 2] !== blue) continue;
          const x = (at / 4) % width;
          if (left === null || x < left) left = x;
        }
        found.push(left);
      }
      return found;
    },
    [frames.map(({ data }) => data), color],
  );
  await page.close();
  return lefts;
}
