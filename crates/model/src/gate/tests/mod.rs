mod brought;
mod evidence;
mod messages;
mod plans;
mod properties;
mod rules;
mod simulation;
mod world;
