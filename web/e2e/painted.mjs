// Pictures that a browser paints, as files for its dialog.

/** Paints a picture in the browser, and returns it as a file for its dialog. */
export async function painted(page, width, height, name = 'sunset.png') {
  const base64 = await page.evaluate(async ([wide, high]) => {
    const canvas = new OffscreenCanvas(wide, high);
    const context = canvas.getContext('2d');
    const sky = context.createLinearGradient(0, 0, 0, high);
    sky.addColorStop(0, '#264a9e');
    sky.addColorStop(0.7, '#f2a65a');
    sky.addColorStop(1, '#3b2a4f');
    context.fillStyle = sky;
    context.fillRect(0, 0, wide, high);
    context.fillStyle = '#ffe8a8';
    context.beginPath();
    context.arc(wide * 0.6, high * 0.62, high * 0.12, 0, 7);
    context.fill();
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/png' })).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  }, [width, height]);
  return { name, mimeType: 'image/png', buffer: Buffer.from(base64, 'base64') };
}
