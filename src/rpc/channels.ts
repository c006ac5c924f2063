/**
 * How control channels between threads are made and read. A port, so that a simulation can carry
 * the messages itself, late and in an order that it decides.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';

/** What is posted on one port arrives on the other, in order. */
export interface ChannelPorts {
  port1: MessagePort;
  port2: MessagePort;
}

export interface Channels {
  open(): ChannelPorts;
  /** The next message that has arrived and that no listener was given, or undefined. */
  receive(port: MessagePort): { message: unknown } | undefined;
}

export const systemChannels: Channels = {
  open: () => new MessageChannel(),
  receive: (port) => receiveMessageOnPort(port),
};
