// Gradio lists media types where a file is no sound: here is what a person can do about it.
new MutationObserver((changes) => {
  for (const added of changes.flatMap((change) => [...change.addedNodes])) {
    const walker = document.createTreeWalker(added, NodeFilter.SHOW_TEXT);
    for (let text = added.nodeType === 3 ? added : walker.nextNode(); text; text = walker.nextNode()) {
      const file = /^Invalid file types?: (.*)\. Only /.exec(text.data);
      if (file) text.data = `${file[1]} is not a sound file: give wav, flac, ogg, opus or mp3.`;
    }
  }
}).observe(document.documentElement, { childList: true, subtree: true });
