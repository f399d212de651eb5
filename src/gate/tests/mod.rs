mod plans;
mod rules;
mod world;
