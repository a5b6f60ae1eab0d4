// Runs on the audio thread: takes what a track plays, keeps every n-th sample, hands it on in chunks.
// No filter is needed: the sounds of a call's proof lie far below half the kept rate.

class Recorder extends AudioWorkletProcessor {
  constructor({ processorOptions: { keepEvery, chunkLength } }) {
    super();
    this.keepEvery = keepEvery;
    this.skip = 0; // samples still to pass over before the next kept one
    this.chunk = new Int16Array(chunkLength);
    this.filled = 0;
  }

  process([input]) {
    const samples = input[0];
    const length = samples ? samples.length : 128; // an unconnected input is silence and still takes time
    let at = this.skip;
    for (; at < length; at += this.keepEvery) {
      this.keep(samples ? samples[at] : 0);
    }
    this.skip = at - length;
    return true;
  }

  keep(sample) {
    this.chunk[this.filled++] = Math.round(Math.max(-1, Math.min(1, sample)) * 32767);
    if (this.filled === this.chunk.length) {
      this.port.postMessage(this.chunk.slice());
      this.filled = 0;
    }
  }
}

registerProcessor("recorder", Recorder);
