// The language as one object, for methods that live in a file of their own somewhere and can import nothing: they are given it.
import * as expressions from "./expr.ts";
import type { MergeMethod } from "./method.ts";
import * as parts from "./methods/parts.ts";
import * as transcendental from "./transcendental.ts";

export type Language = typeof expressions & typeof parts & typeof transcendental;
export const LANGUAGE: Language = { ...expressions, ...parts, ...transcendental };

/** What a method file exports by default. */
export type MethodFile = (language: Language) => MergeMethod;
