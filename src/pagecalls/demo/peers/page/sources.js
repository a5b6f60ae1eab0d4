// What a peer sends: its tone, the sound of its screen, and the pictures of camera and screen, each with the sender it is on.
// Sources are named by the labels of a call's tracks.
"use strict";

class Tone {
  constructor(context, frequency, amplitude) {
    this.oscillator = new OscillatorNode(context, { frequency });
    this.gain = new GainNode(context, { gain: amplitude });
    this.amplitude = amplitude;
    const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    this.oscillator.connect(this.gain).connect(destination);
    this.oscillator.start();
    this.track = destination.stream.getAudioTracks()[0];
  }

  clap(on) {
    this.gain.gain.value = on ? 0 : this.amplitude;
  }

  stop() {
    this.oscillator.stop();
    this.track.stop();
  }
}

class Sources {
  constructor(connection) {
    this.connection = connection;
    this.playing = new Map(); // label -> Tone or Picture that is sent now
    this.senders = new Map(); // label -> RTCRtpSender, kept when its source stops
    this.streams = { default: new MediaStream(), screen: new MediaStream() };
  }

  // Send this source; on the sender that it had before, else as any new track.
  add(label, source) {
    this.stop(label);
    const stream = this.streams[label.split("_")[0]];
    const sender = this.senders.get(label);
    if (sender) {
      sender.replaceTrack(source.track);
      this.transceiver(sender).direction = "sendrecv";
    } else {
      this.senders.set(label, this.connection.addTrack(source.track, stream));
    }
    this.playing.set(label, source);
  }

  // Show another source on the same sender.
  async swap(label, source) {
    const before = this.playing.get(label);
    await this.senders.get(label).replaceTrack(source.track);
    this.playing.set(label, source);
    before.stop();
  }

  stop(label) {
    const source = this.playing.get(label);
    if (!source) return;
    this.connection.removeTrack(this.senders.get(label));
    this.playing.delete(label);
    source.stop();
  }

  // Offer this codec alone, with its repeats.
  prefer(label, codec) {
    const { codecs } = RTCRtpReceiver.getCapabilities("video");
    const kept = codecs.filter(({ mimeType }) => [`video/${codec}`, "video/rtx"].includes(mimeType));
    this.transceiver(this.senders.get(label)).setCodecPreferences(kept);
  }

  async clap(ms) {
    for (const source of this.playing.values()) source.clap(true);
    await new Promise((done) => setTimeout(done, ms));
    for (const source of this.playing.values()) source.clap(false);
  }

  // [{source, mid}] of what is sent now; no mid before the first description.
  list() {
    return Array.from(this.playing.keys(), (label) => ({ source: label, mid: this.transceiver(this.senders.get(label)).mid }));
  }

  transceiver(sender) {
    return this.connection.getTransceivers().find((each) => each.sender === sender);
  }

  close() {
    for (const source of this.playing.values()) source.stop();
  }
}

// The names of the codecs that can be sent and received.
function videoCodecs() {
  const of = (capabilities) => new Set(capabilities.codecs.map(({ mimeType }) => mimeType.replace("video/", "")));
  const received = of(RTCRtpReceiver.getCapabilities("video"));
  return Array.from(of(RTCRtpSender.getCapabilities("video"))).filter((name) => received.has(name));
}
