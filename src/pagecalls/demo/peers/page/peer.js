// One WebRTC peer in a page. It sends a tone and pictures, records what each remote track plays or shows, and knows
// nothing of any server: its driver calls window.peer(method, ...args) and gets a promise of JSON text.
"use strict";

const KEPT_RATE_HZ = 8000;
const CHUNK_S = 0.04;
const GATHERING_MS = 3000;
const KEPT_S = 60; // older sound is dropped when the driver does not fetch it

class Recording {
  constructor(rate) {
    this.ring = new Int16Array(Math.round(rate * KEPT_S));
    this.total = 0; // samples ever written
    this.endedAt = 0; // Unix seconds of the newest sample
  }

  write(chunk) {
    const start = this.total % this.ring.length;
    const head = chunk.subarray(0, this.ring.length - start);
    this.ring.set(head, start);
    this.ring.set(chunk.subarray(head.length), 0);
    this.total += chunk.length;
    this.endedAt = Date.now() / 1000;
  }

  // Samples from the given count on, as base64 of little-endian 16-bit numbers.
  since(count) {
    const from = Math.max(count, this.total - this.ring.length);
    const start = from % this.ring.length;
    const samples = new Int16Array(this.total - from);
    const head = this.ring.subarray(start, Math.min(this.ring.length, start + samples.length));
    samples.set(head);
    samples.set(this.ring.subarray(0, samples.length - head.length), head.length);
    return { from, endedAt: this.endedAt, samples: base64(new Uint8Array(samples.buffer)) };
  }
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}

class Peer {
  async start({ toneHz, amplitude, lookEveryMs }) {
    this.tracks = new Map(); // track id -> {mid, recording, element}
    this.screenings = new Map(); // track id -> {mid, screening}
    this.amplitude = amplitude;
    this.lookEveryMs = lookEveryMs;
    this.iceConnectedAt = null;
    this.connectedAt = null;
    this.held = new Map(); // transceiver -> its direction before the call was held
    this.context = new AudioContext();
    this.keepEvery = Math.max(1, Math.floor(this.context.sampleRate / KEPT_RATE_HZ));
    this.keptRate = this.context.sampleRate / this.keepEvery;
    await this.context.audioWorklet.addModule("recorder.js");
    await this.context.resume();
    this.connection = new RTCPeerConnection();
    this.connection.ontrack = (event) => this.listen(event.track, event.transceiver.mid);
    this.connection.oniceconnectionstatechange = () => this.noteIce();
    this.connection.onconnectionstatechange = () => this.noteConnected();
    this.sources = new Sources(this.connection);
    this.tone = new Tone(this.context, toneHz, amplitude);
    this.sources.add("default_audio", this.tone);
    this.sender = this.sources.senders.get("default_audio");
    return null;
  }

  listen(track, mid) {
    if (track.kind === "audio") this.record(track, mid);
    else if (!this.screenings.has(track.id)) {
      this.screenings.set(track.id, { mid, screening: new Screening(track, this.lookEveryMs) });
    }
  }

  record(track, mid) {
    if (this.tracks.has(track.id)) return;
    const stream = new MediaStream([track]);
    // Chromium decodes a remote track for Web Audio only while a media element plays it too. The element is not
    // muted, as then the browser's own counter of sound energy would stand still; the browser as a whole is.
    const element = new Audio();
    element.srcObject = stream;
    element.play();
    const recording = new Recording(this.keptRate);
    const recorder = new AudioWorkletNode(this.context, "recorder", {
      numberOfOutputs: 1,
      channelCount: 1,
      processorOptions: { keepEvery: this.keepEvery, chunkLength: Math.round(this.keptRate * CHUNK_S) },
    });
    recorder.port.onmessage = ({ data }) => recording.write(data);
    // The recorder writes no output. It is connected only because an unconnected node may not be run.
    this.context.createMediaStreamSource(stream).connect(recorder).connect(this.context.destination);
    this.tracks.set(track.id, { mid, recording, element });
  }

  noteIce() {
    if (["connected", "completed"].includes(this.connection.iceConnectionState)) {
      this.iceConnectedAt ??= Date.now() / 1000;
    }
  }

  noteConnected() {
    if (this.connection.connectionState === "connected") this.connectedAt ??= Date.now() / 1000;
  }

  async offer(gather, iceRestart) {
    const offer = await this.connection.createOffer({ iceRestart });
    await this.connection.setLocalDescription(offer);
    if (!gather) return offer.sdp;
    await this.gathered();
    return this.connection.localDescription.sdp;
  }

  async rollBack() {
    await this.connection.setLocalDescription({ type: "rollback" });
    return null;
  }

  async applyAnswer(sdp) {
    await this.connection.setRemoteDescription({ type: "answer", sdp });
    return null;
  }

  async applyOffer(sdp) {
    await this.connection.setRemoteDescription({ type: "offer", sdp });
    await this.connection.setLocalDescription();
    await this.gathered();
    return this.connection.localDescription.sdp;
  }

  // Waits until gathering ends, but not for ever: without any network it may not, and a server needs no candidates.
  gathered() {
    if (this.connection.iceGatheringState === "complete") return Promise.resolve();
    return new Promise((done) => {
      setTimeout(done, GATHERING_MS);
      this.connection.addEventListener("icegatheringstatechange", () => {
        if (this.connection.iceGatheringState === "complete") done();
      });
    });
  }

  // known: {track id: samples already fetched}
  sounds(known) {
    return Array.from(this.tracks, ([id, { mid, recording }]) => {
      return { id, mid, rate: this.keptRate, ...recording.since(known[id] ?? 0) };
    });
  }

  // known: {track id: sightings already fetched}
  sightings(known) {
    return Array.from(this.screenings, ([id, { mid, screening }]) => ({ id, mid, ...screening.since(known[id] ?? 0) }));
  }

  mute(muted) {
    this.tone.track.enabled = !muted;
    return null;
  }

  videoCodecs() {
    return videoCodecs();
  }

  // Returns whether the browser has the codec; null is any.
  sendPicture(label, picture, codec) {
    if (codec !== null && !videoCodecs().includes(codec)) return false;
    this.sources.add(label, this.picture(label, picture));
    if (codec !== null) this.sources.prefer(label, codec);
    return true;
  }

  async swapPicture(label, picture) {
    await this.sources.swap(label, this.picture(label, picture));
    return null;
  }

  picture(label, picture) {
    const source = new Picture(picture);
    if (label.startsWith("screen")) source.track.contentHint = "detail"; // as a captured screen is encoded
    return source;
  }

  sendScreenSound(toneHz) {
    this.sources.add("screen_audio", new Tone(this.context, toneHz, this.amplitude));
    return null;
  }

  stopSending(label) {
    this.sources.stop(label);
    return null;
  }

  // Receives nothing on any line, and with sends false sends nothing either.
  hold(sends) {
    this.held = new Map(this.connection.getTransceivers().map((each) => [each, each.direction]));
    for (const [each, before] of this.held) each.direction = sends && before.startsWith("send") ? "sendonly" : "inactive";
    return null;
  }

  // Every line is again as it was before `hold`.
  resume() {
    for (const [each, before] of this.held) each.direction = before;
    this.held.clear();
    return null;
  }

  ownTracks() {
    return { tracks: this.sources.list(), sdp: this.connection.localDescription?.sdp ?? "" };
  }

  async clap(ms) {
    await this.sources.clap(ms);
    return null;
  }

  // Returns whether the sender can send digits: false without a negotiated telephone-event.
  sendDigits(digits, toneMs, gapMs) {
    const dtmf = this.sender.dtmf;
    if (!dtmf || !dtmf.canInsertDTMF) return false;
    dtmf.insertDTMF(digits, toneMs, gapMs);
    return true;
  }

  async stats() {
    const entries = Array.from((await this.connection.getStats()).values());
    const byId = new Map(entries.map((entry) => [entry.id, entry]));
    const pair = selectedPair(entries, byId);
    return {
      ice: this.connection.iceConnectionState,
      dtls: this.sender.transport ? this.sender.transport.state : "new",
      iceConnectedAt: this.iceConnectedAt,
      connectedAt: this.connectedAt,
      pair: pair ? { local: address(byId.get(pair.localCandidateId)), remote: address(byId.get(pair.remoteCandidateId)) } : null,
      sent: entries.filter((entry) => entry.type === "outbound-rtp").reduce((sum, entry) => sum + entry.packetsSent, 0),
      inbound: entries.filter((entry) => entry.type === "inbound-rtp").map((entry) => inbound(entry, byId)),
      videoSent: entries.filter((entry) => entry.type === "outbound-rtp" && entry.kind === "video").map((entry) => videoSent(entry, byId)),
      available: pair?.availableOutgoingBitrate ?? null,
      remoteSdp: this.connection.remoteDescription?.sdp ?? "",
    };
  }

  async close() {
    this.connection.close();
    this.sources.close();
    await this.context.close();
    return null;
  }
}

function selectedPair(entries, byId) {
  const transport = entries.find((entry) => entry.type === "transport" && entry.selectedCandidatePairId);
  if (transport) return byId.get(transport.selectedCandidatePairId);
  return entries.find((entry) => entry.type === "candidate-pair" && entry.nominated && entry.state === "succeeded");
}

function address(candidate) {
  return candidate ? `${candidate.address ?? candidate.ip ?? "?"}:${candidate.port}` : "?";
}

const codecOf = (entry, byId) => byId.get(entry.codecId)?.mimeType ?? null;

function inbound(entry, byId) {
  return {
    mid: entry.mid ?? null,
    ssrc: entry.ssrc,
    received: entry.packetsReceived ?? 0,
    lost: entry.packetsLost ?? 0,
    jitter: entry.jitter ?? 0,
    energy: entry.totalAudioEnergy ?? null,
    video: entry.kind === "video" ? videoReceived(entry, byId) : null,
  };
}

function videoReceived(entry, byId) {
  return {
    codec: codecOf(entry, byId),
    decoded: entry.framesDecoded ?? 0,
    keyFrames: entry.keyFramesDecoded ?? 0,
    freezes: entry.freezeCount ?? null,
    width: entry.frameWidth ?? 0,
    height: entry.frameHeight ?? 0,
    plis: entry.pliCount ?? 0,
    firs: entry.firCount ?? 0,
    nacks: entry.nackCount ?? 0,
    repeats: entry.retransmittedPacketsReceived ?? null,
  };
}

function videoSent(entry, byId) {
  return {
    mid: entry.mid ?? null,
    ssrc: entry.ssrc,
    codec: codecOf(entry, byId),
    encoded: entry.framesEncoded ?? 0,
    keyFrames: entry.keyFramesEncoded ?? null,
    target: entry.targetBitrate ?? null,
    limitedBy: entry.qualityLimitationReason ?? null,
    plis: entry.pliCount ?? 0,
    firs: entry.firCount ?? 0,
    nacks: entry.nackCount ?? 0,
  };
}

const instance = new Peer();

window.peer = async (method, ...args) => JSON.stringify(await instance[method](...args));
